//! One TCP connection, encrypted or not, that never blocks.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::ClientConnection;

use super::tls::Tls;

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// So many bytes.
    Bytes(usize),
    /// Nothing for now.
    Nothing,
    /// Nothing any more: the broker ended the connection.
    End,
}

/// One TCP connection with what is still to be written to it.
///
/// The operating system announces only a *change* of readiness, so `readable` remembers that there
/// may be more, also while the owner does not want to read.
#[derive(Debug)]
pub(super) struct Wire {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    out: Vec<u8>,
    readable: bool,
}

impl Wire {
    /// Begins to connect. [`Wire::is_open`] says how that went.
    pub(super) fn dial(
        address: SocketAddr,
        tls: Option<&Tls>,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        let tls = match tls {
            Some(tls) => Some(Box::new(tls.start().map_err(io::Error::other)?)),
            None => None,
        };
        Ok(Self { socket, tls, out: Vec::new(), readable: true })
    }

    /// Whether the TCP connection stands; an error where it never will.
    pub(super) fn is_open(&self) -> io::Result<bool> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match self.socket.peer_addr() {
            Ok(_) => {
                // Messages are small and written in one piece, so waiting for more only delays them.
                self.socket.set_nodelay(true)?;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Notes that the operating system announced something to read.
    pub(super) fn mark_readable(&mut self) {
        self.readable = true;
    }

    /// Whether a read may bring something.
    pub(super) fn is_readable(&self) -> bool {
        self.readable
    }

    /// Puts bytes into the queue to be written by [`Wire::flush`].
    pub(super) fn queue(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Bytes that the operating system has not taken yet.
    pub(super) fn unsent(&self) -> usize {
        let encrypted = self.tls.as_ref().is_some_and(|tls| tls.wants_write());
        self.out.len() + usize::from(encrypted)
    }

    /// Writes as much as the operating system takes.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            let mut written = 0;
            let result = write_all(&mut written, &self.out, &mut self.socket);
            self.out.drain(..written);
            return result;
        };
        loop {
            let taken = tls.writer().write(&self.out)?;
            self.out.drain(..taken);
            while tls.wants_write() {
                match tls.write_tls(&mut self.socket) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            if taken == 0 {
                return Ok(());
            }
        }
    }

    /// Reads what has arrived, decrypted, into `buffer`.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Got> {
        loop {
            if let Some(tls) = &mut self.tls {
                match tls.reader().read(buffer) {
                    Ok(0) => return Ok(Got::End),
                    Ok(bytes) => return Ok(Got::Bytes(bytes)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    // The broker did not say goodbye: an end like any other, as MQTT has its own.
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(Got::End),
                    Err(error) => return Err(error),
                }
            }
            let result = match &mut self.tls {
                Some(tls) => tls.read_tls(&mut self.socket),
                None => self.socket.read(buffer),
            };
            match (result, &mut self.tls) {
                (Ok(0), None) => return Ok(Got::End),
                (Ok(bytes), None) => return Ok(Got::Bytes(bytes)),
                (Ok(bytes), Some(tls)) => {
                    if let Err(error) = tls.process_new_packets() {
                        // Tell the broker why, as far as the connection still lets us.
                        let _ = self.flush();
                        return Err(io::Error::new(ErrorKind::InvalidData, error));
                    }
                    if bytes == 0 && tls.is_handshaking() {
                        return Ok(Got::End);
                    }
                }
                (Err(error), _) if error.kind() == ErrorKind::Interrupted => {}
                (Err(error), _) if error.kind() == ErrorKind::WouldBlock => {
                    self.readable = false;
                    return Ok(Got::Nothing);
                }
                (Err(error), _) => return Err(error),
            }
        }
    }

    /// Says that nothing more will be written; what the broker still sends can be read.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            self.flush()?;
        }
        self.socket.shutdown(Shutdown::Write)
    }
}

fn write_all(written: &mut usize, bytes: &[u8], socket: &mut impl Write) -> io::Result<()> {
    while *written < bytes.len() {
        match socket.write(&bytes[*written..]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => *written += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
