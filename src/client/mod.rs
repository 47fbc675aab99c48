//! A client of the public interface: where a server is, its calls over HTTP, and its chat socket, plain or over TLS.
//!
//! [`Address`] says which server, which session and whose token; [`Address::call`] asks it, [`Address::open`] attaches to the
//! chat. Nothing here waits for longer than its bounds say, and nothing asks twice: that is for whoever knows what was asked.

mod address;
mod call;
mod secure;
mod socket;

pub use address::{Address, AddressError};
pub use call::CallTrouble;
pub use socket::{NoSocket, Socket, Stream, refusal_of};
