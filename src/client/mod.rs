//! A client of the public interface: where a server is, its calls over HTTP, and a conversation over its chat socket, plain,
//! over TLS or over a Unix socket.
//!
//! [`Address`] says which server, which session and whose token; [`Address::call`] makes one call and never repeats it;
//! [`Conversation`] is the one description of how a conversation goes on after a break. Every wait has a bound.

mod address;
mod call;
mod conversation;
mod secure;
mod socket;
mod unix;

pub use address::{Address, AddressError};
pub use call::{CallTrouble, is_transient};
pub use conversation::{Conversation, ConversationError, Done, Kind, MESSAGE_BYTES_MAX, Refused, Resumed, Unsendable, Update};
pub use socket::ConnectError;
use socket::Socket;
