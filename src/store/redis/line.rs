//! One connection to a server: bytes within a time, a login, questions and answers.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Parser, Value, cmd};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::address::{Address, Login};
use super::answers::text;
use super::framing::Framing;
use crate::store::clock::Clock;

/// An answer has this many bytes at most: a record of the largest size, and what stands around it.
const LONGEST: usize = LARGEST_RECORD + 65_536;
/// A record has this many bytes at most, as in files.
pub(super) const LARGEST_RECORD: usize = 32 << 20;
const UNFIT: &str = "its answer is damaged or too long";
/// The longest that one address of a host is tried.
const CONNECTING: Duration = Duration::from_secs(3);

/// Why there is no answer.
pub(super) enum Fault {
    /// Nothing was asked: there is no connection, or none that will do.
    Unasked(String),
    /// It was asked, and what became of it is not known.
    Lost(String),
}

/// A line that is open.
pub(super) struct Line {
    wire: Wire,
    /// When it was opened, by the monotonic clock.
    pub(super) opened: Duration,
    /// Whether the server may drop records for others. None if it does not say.
    pub(super) evicts: Option<bool>,
}

/// What a line is opened with.
pub(super) struct Opening<'a> {
    pub(super) address: &'a Address,
    pub(super) tls: Option<&'a Arc<ClientConfig>>,
    pub(super) login: Option<&'a Login>,
    pub(super) database: i64,
    pub(super) role: Role,
}

/// What the server is to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It names servers, and keeps no records.
    Sentinel,
    /// It has records.
    Server,
    /// It has records, and says itself that it takes changes.
    Master,
}

enum Wire {
    Plain(Socket),
    Tls(Box<StreamOwned<ClientConnection, Socket>>),
}

/// A socket that ends by its time, and after so many bytes.
struct Socket {
    stream: Stream,
    end: Duration,
    left: usize,
}

enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Socket {
    /// The time that is left, for one call of the system.
    fn remaining(&self) -> io::Result<Duration> {
        let left = self.end.saturating_sub(Clock::Monotonic.now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Socket {
    /// True if nothing has come that nobody asked for, and it was not closed.
    fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let read = match &mut self.stream {
            Stream::Tcp(stream) => stream.set_nonblocking(true).and_then(|()| {
                let read = stream.read(&mut byte);
                stream.set_nonblocking(false).and(read)
            }),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.set_nonblocking(true).and_then(|()| {
                let read = stream.read(&mut byte);
                stream.set_nonblocking(false).and(read)
            }),
        };
        read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

impl Read for Socket {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let remaining = Some(self.remaining()?);
        let room = bytes.len().min(self.left);
        let bytes = bytes.get_mut(..room).unwrap_or_default();
        if bytes.is_empty() {
            return Err(unfit());
        }
        let read = match &mut self.stream {
            Stream::Tcp(stream) => {
                stream.set_read_timeout(remaining)?;
                stream.read(bytes)?
            }
            #[cfg(unix)]
            Stream::Unix(stream) => {
                stream.set_read_timeout(remaining)?;
                stream.read(bytes)?
            }
        };
        self.left = self.left.saturating_sub(read);
        Ok(read)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let remaining = Some(self.remaining()?);
        match &mut self.stream {
            Stream::Tcp(stream) => {
                stream.set_write_timeout(remaining)?;
                stream.write(bytes)
            }
            #[cfg(unix)]
            Stream::Unix(stream) => {
                stream.set_write_timeout(remaining)?;
                stream.write(bytes)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Wire {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(socket) => socket.read(bytes),
            Wire::Tls(stream) => stream.read(bytes),
        }
    }
}

/// The answers to what was asked.
struct Answers<'a> {
    wire: &'a mut Wire,
    framing: Framing,
    is_unfit: bool,
}

impl Read for Answers<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.wire.read(bytes);
        let mut is_taken = |read: &usize| self.framing.takes(bytes.get(..*read).unwrap_or_default());
        let read = read.and_then(|read| if is_taken(&read) { Ok(read) } else { Err(unfit()) });
        self.is_unfit = read.as_ref().is_err_and(|error| error.kind() == ErrorKind::InvalidData);
        read
    }
}

fn unfit() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, UNFIT)
}

/// In words that hold nothing of what was sent.
fn words(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "it did not answer in time".to_owned(),
        ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
        _ => error.to_string(),
    }
}

fn dial(opening: &Opening<'_>, end: Duration) -> Result<Wire, String> {
    let mut why = "its name has no address".to_owned();
    match opening.address {
        Address::Host(name, port) => {
            let found = (name.as_str(), *port).to_socket_addrs().map_err(|error| words(&error))?;
            for address in found {
                let left = end.saturating_sub(Clock::Monotonic.now()).min(CONNECTING);
                if left.is_zero() {
                    return Err("there was no time left to connect".to_owned());
                }
                match TcpStream::connect_timeout(&address, left) {
                    Ok(stream) => {
                        let _ = stream.set_nodelay(true);
                        return secured(
                            Socket { stream: Stream::Tcp(stream), end, left: LONGEST },
                            name,
                            opening.tls,
                        );
                    }
                    Err(error) => why = words(&error),
                }
            }
            Err(why)
        }
        #[cfg(unix)]
        Address::Socket(path) => {
            let stream = UnixStream::connect(path).map_err(|error| words(&error))?;
            Ok(Wire::Plain(Socket { stream: Stream::Unix(stream), end, left: LONGEST }))
        }
        #[cfg(not(unix))]
        Address::Socket(_) => Err("this system has no such sockets".to_owned()),
    }
}

/// TLS with settings of our own: nothing of the process is read or set.
fn secured(socket: Socket, name: &str, tls: Option<&Arc<ClientConfig>>) -> Result<Wire, String> {
    let Some(config) = tls else { return Ok(Wire::Plain(socket)) };
    let name =
        ServerName::try_from(name.to_owned()).map_err(|_| "its name is none that TLS knows".to_owned())?;
    let connection = ClientConnection::new(Arc::clone(config), name).map_err(|error| error.to_string())?;
    let mut stream = StreamOwned::new(connection, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(|error| words(&error))?;
    }
    Ok(Wire::Tls(Box::new(stream)))
}

impl Line {
    /// Opens a line, logs in, and learns whether the server keeps what it is given.
    pub(super) fn open(opening: &Opening<'_>, end: Duration) -> Result<Self, Fault> {
        let unasked = |why: &str| Fault::Unasked(format!("{}: {why}", opening.address));
        let wire = dial(opening, end).map_err(|why| unasked(&why))?;
        let mut line = Line { wire, opened: Clock::Monotonic.now(), evicts: None };
        let mut first = Vec::new();
        if let Some(login) = opening.login {
            let mut auth = cmd("AUTH");
            if let Some(user) = &login.user {
                auth.arg(user);
            }
            auth.arg(login.password.expose());
            first.push(auth);
        }
        if opening.database != 0 {
            let mut select = cmd("SELECT");
            select.arg(opening.database);
            first.push(select);
        }
        if opening.role != Role::Sentinel {
            let mut info = cmd("INFO");
            info.arg("memory");
            first.push(info);
        }
        if opening.role == Role::Master {
            first.push(cmd("ROLE"));
        }
        let answers = line.ask_all(&first, end).map_err(|fault| match fault {
            Fault::Unasked(why) | Fault::Lost(why) => unasked(&why),
        })?;
        for (answer, command) in answers.into_iter().zip(&first) {
            match (answer, command.args_iter().next()) {
                (Value::ServerError(error), _) if error.code() == "NOAUTH" => {
                    return Err(unasked("it wants a password, and none was given"));
                }
                (Value::ServerError(_), Some(redis::Arg::Simple(b"AUTH"))) => {
                    return Err(unasked("it does not take this user and password"));
                }
                (Value::ServerError(_), Some(redis::Arg::Simple(b"SELECT"))) => {
                    return Err(unasked("it has no database of this number"));
                }
                (Value::Array(says), Some(redis::Arg::Simple(b"ROLE")))
                    if says.first().and_then(text) == Some("master") => {}
                (_, Some(redis::Arg::Simple(b"ROLE"))) => {
                    return Err(unasked("it does not say (ROLE) that it is a master, which takes changes"));
                }
                (Value::BulkString(text), _) => line.evicts = evicts(&text),
                _ => {}
            }
        }
        Ok(line)
    }

    /// True if it was not closed meanwhile, and nothing has come that nobody asked for: that would be taken for the next answer.
    pub(super) fn is_quiet(&mut self) -> bool {
        match &mut self.wire {
            Wire::Plain(socket) => socket.is_quiet(),
            Wire::Tls(stream) => stream.sock.is_quiet(),
        }
    }

    /// Asks one thing.
    pub(super) fn ask(&mut self, command: &Cmd, end: Duration) -> Result<Value, Fault> {
        let answers = self.ask_all(std::slice::from_ref(command), end)?;
        answers.into_iter().next().ok_or_else(|| Fault::Lost("it gave no answer".to_owned()))
    }

    /// Asks several things at once. A line whose answer is lost is good for nothing any more.
    pub(super) fn ask_all(&mut self, commands: &[Cmd], end: Duration) -> Result<Vec<Value>, Fault> {
        let lost = |error: io::Error| Fault::Lost(words(&error));
        let socket = match &mut self.wire {
            Wire::Plain(socket) => socket,
            Wire::Tls(stream) => &mut stream.sock,
        };
        (socket.end, socket.left) = (end, LONGEST);
        let mut bytes = zeroize::Zeroizing::new(Vec::new());
        commands.iter().for_each(|command| command.write_packed_command(&mut bytes));
        match &mut self.wire {
            Wire::Plain(socket) => socket.write_all(&bytes).map_err(lost)?,
            Wire::Tls(stream) => {
                stream.write_all(&bytes).map_err(lost)?;
                stream.flush().map_err(lost)?;
            }
        }
        let (mut answers, mut parser) = (Vec::new(), Parser::new());
        let mut from = Answers { wire: &mut self.wire, framing: Framing::default(), is_unfit: false };
        for _ in commands {
            // The parser's own words would show what was read.
            let answer = parser.parse_value(&mut from);
            answers.push(answer.map_err(|error| {
                let why = if error.is_timeout() {
                    "it did not answer in time"
                } else if from.is_unfit {
                    UNFIT
                } else if error.is_io_error() {
                    "it closed the connection"
                } else {
                    "its answer is none of Redis"
                };
                Fault::Lost(why.to_owned())
            })?);
        }
        // Which of them answer what is not known then.
        if parser.parse_value(io::empty()).is_ok() {
            return Err(Fault::Lost("it gave more answers than were asked for".to_owned()));
        }
        Ok(answers)
    }
}

/// What the server says of its memory (INFO): whether it drops records to make room for others.
fn evicts(info: &[u8]) -> Option<bool> {
    let text = String::from_utf8_lossy(info);
    let policy = text.lines().find_map(|line| line.strip_prefix("maxmemory_policy:"))?;
    Some(policy.trim() != "noeviction")
}
