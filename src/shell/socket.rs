//! One socket on the loop: a task that reads when told to, and at most one write.
//!
//! A read is never dropped, because the loop may already have taken its bytes off the socket. Closing shuts the socket down
//! instead, which ends whatever is under way.

use super::driver::{Driver, Machine};
use super::handover::Handover;
use super::mailbox::Letter;
use crate::shard::event::{Attach, Event, ShardId, SocketId};
use monoio::buf::IoBuf;
use monoio::io::{AsyncReadRent, AsyncWriteRent, OwnedReadHalf, OwnedWriteHalf, Splitable};
use monoio::net::TcpStream;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, Shutdown, send, shutdown};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::task::{Poll, Waker};

pub(super) struct Socket {
    pub(super) id: SocketId,
    /// Open for as long as this is in the driver's table.
    fd: RawFd,
    order: Cell<Option<Order>>,
    /// Wakes the task that reads.
    reader: RefCell<Option<Waker>>,
    /// Here while no write waits for the peer.
    half: RefCell<Option<OwnedWriteHalf<TcpStream>>>,
    is_reading: Cell<bool>,
    closed: Cell<bool>,
}

/// What the reading task is to do next.
enum Order {
    Read { bytes_max: usize },
    HandOver { shard: ShardId, attach: Box<Attach> },
    Close,
}

impl Socket {
    pub(super) fn new(id: SocketId, stream: TcpStream) -> (Rc<Self>, OwnedReadHalf<TcpStream>) {
        let fd = stream.as_raw_fd();
        let (read, write) = stream.into_split();
        let socket = Socket {
            id,
            fd,
            order: Cell::default(),
            reader: RefCell::default(),
            half: RefCell::new(Some(write)),
            is_reading: Cell::new(false),
            closed: Cell::new(false),
        };
        (Rc::new(socket), read)
    }

    pub(super) fn read(&self, bytes_max: usize) {
        self.order(Order::Read { bytes_max });
    }

    pub(super) fn hand_over(&self, shard: ShardId, attach: Box<Attach>) {
        self.order(Order::HandOver { shard, attach });
    }

    /// The socket has left the driver's table: ends what is under way, and reports nothing more.
    pub(super) fn close(&self) {
        self.closed.set(true);
        let is_writing = self.half.take().is_none();
        if self.is_reading.get() || is_writing {
            // Fails only where the peer has gone, which ends them too.
            let _ = shutdown(self.fd, Shutdown::Both);
        }
        self.order(Order::Close);
    }

    pub(super) fn shut_down(&self) {
        // A peer that has gone is reported by the read.
        let _ = shutdown(self.fd, Shutdown::Write);
    }

    fn order(&self, order: Order) {
        self.order.set(Some(order));
        if let Some(reader) = &*self.reader.borrow() {
            reader.wake_by_ref();
        }
    }

    async fn next_order(&self) -> Order {
        poll_fn(|context| match self.order.take() {
            Some(order) => {
                self.reader.take();
                Poll::Ready(order)
            }
            None => {
                *self.reader.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    /// Reads until the socket is closed or handed over.
    pub(super) async fn serve<M: Machine>(self: Rc<Self>, driver: Rc<Driver<M>>, mut half: OwnedReadHalf<TcpStream>) {
        let socket = self.id;
        let mut buffer = Vec::new();
        loop {
            match self.next_order().await {
                Order::Read { bytes_max } => {
                    if buffer.capacity() != bytes_max {
                        buffer = Vec::with_capacity(bytes_max);
                    }
                    self.is_reading.set(true);
                    let (result, filled) = half.read(buffer).await;
                    self.is_reading.set(false);
                    buffer = filled;
                    if self.closed.get() {
                        return;
                    }
                    driver.feed(match result {
                        Ok(count @ 1..) => Event::Read { socket, bytes: &buffer[..count] },
                        Ok(0) | Err(_) => Event::Ended { socket },
                    });
                }
                Order::HandOver { shard, attach } => {
                    let write = self.half.take().expect("handed over only while no write is under way");
                    let stream = half.reunite(write).expect("two halves of one stream");
                    // The socket of a shard that has ended is closed by its owner, which ends here.
                    drop(driver.send(shard, Letter::Arrival(Handover::new(stream, attach))));
                    return;
                }
                Order::Close => return,
            }
        }
    }

    /// Sends what the system takes at once, nearly always all of it; a task waits to send the rest. Returns how it ended.
    pub(super) fn write<M: Machine>(self: &Rc<Self>, driver: &Rc<Driver<M>>, mut bytes: Vec<u8>) -> Option<Event<'static>> {
        let socket = self.id;
        let sent = match send(self.fd, &bytes, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
            Ok(sent) => sent,
            Err(Errno::EAGAIN | Errno::EINTR) => 0,
            Err(_) => return Some(Event::Failed { socket }),
        };
        if sent == bytes.len() {
            bytes.clear();
            return Some(Event::Written { socket, buffer: bytes });
        }
        let half = self.half.take().expect("one write at a time");
        monoio::spawn(self.clone().write_rest(driver.clone(), half, bytes, sent));
        None
    }

    async fn write_rest<M: Machine>(
        self: Rc<Self>,
        driver: Rc<Driver<M>>,
        mut half: OwnedWriteHalf<TcpStream>,
        mut bytes: Vec<u8>,
        mut sent: usize,
    ) {
        let socket = self.id;
        while !self.closed.get() {
            let (result, slice) = half.write(bytes.slice(sent..)).await;
            bytes = slice.into_inner();
            if self.closed.get() {
                return;
            }
            match result {
                Ok(count @ 1..) => sent += count,
                Ok(0) | Err(_) => {
                    self.half.replace(Some(half));
                    return driver.feed(Event::Failed { socket });
                }
            }
            if sent == bytes.len() {
                self.half.replace(Some(half));
                bytes.clear();
                return driver.feed(Event::Written { socket, buffer: bytes });
            }
            driver.feed(Event::Moved { socket });
        }
    }
}

/// The open sockets of a shard, by the place in a table that is part of their id.
#[derive(Default)]
pub(super) struct Sockets {
    places: Vec<Option<Rc<Socket>>>,
    free: Vec<usize>,
    opened: u64,
}

/// Bits of an id that name its place: more sockets than the system gives a process.
const PLACE_BITS: u32 = 24;

impl Sockets {
    pub(super) fn insert(&mut self, stream: TcpStream) -> (Rc<Socket>, OwnedReadHalf<TcpStream>) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.opened += 1;
        let id = SocketId(self.opened << PLACE_BITS | place as u64);
        let (socket, half) = Socket::new(id, stream);
        self.places[place] = Some(socket.clone());
        (socket, half)
    }

    pub(super) fn get(&self, id: SocketId) -> Option<&Rc<Socket>> {
        self.places.get(place(id))?.as_ref().filter(|socket| socket.id == id)
    }

    pub(super) fn remove(&mut self, id: SocketId) -> Option<Rc<Socket>> {
        let socket = self.places.get_mut(place(id))?.take_if(|socket| socket.id == id);
        self.free.extend(socket.is_some().then(|| place(id)));
        socket
    }
}

fn place(id: SocketId) -> usize {
    usize::try_from(id.0 & ((1 << PLACE_BITS) - 1)).expect("24 bits")
}
