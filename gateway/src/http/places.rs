//! A listener with a few places: a connection holds one for a while and no longer, so that strangers who
//! connect and say nothing take neither all file descriptors nor the page from those who watch.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

/// How many connections there may be at a time, and how long one may last.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub places: usize,
    pub stay: Duration,
}

/// The listener.
#[derive(Debug)]
pub struct Places {
    listener: TcpListener,
    free: Arc<Semaphore>,
    stay: Duration,
}

impl Places {
    /// Takes a bound socket; must be called inside a runtime.
    ///
    /// # Errors
    /// The runtime does not take it.
    pub fn new(listener: std::net::TcpListener, bounds: Bounds) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let free = Arc::new(Semaphore::new(bounds.places));
        Ok(Self { listener: TcpListener::from_std(listener)?, free, stay: bounds.stay })
    }
}

impl axum::serve::Listener for Places {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        loop {
            let Ok(place) = Arc::clone(&self.free).acquire_owned().await else {
                // The semaphore is never closed.
                std::future::pending::<()>().await;
                continue;
            };
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    return (Guest { stream, until: Box::pin(sleep(self.stay)), _place: place }, peer);
                }
                // Out of file descriptors, mostly: another try at once would spin.
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection in its place.
#[derive(Debug)]
pub struct Guest {
    stream: TcpStream,
    until: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Guest {
    fn overdue(&mut self, context: &mut Context<'_>) -> bool {
        self.until.as_mut().poll(context).is_ready()
    }
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.overdue(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Guest {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.overdue(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
