//! An FTP client. It is used on a thread inside its host's namespace.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd as _,
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{BLOCK, LIMIT, SIGNAL, SMALL, server::address};

/// Who opens a data connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The server, to what PORT says.
    Active,
    /// The client, to what 227 says.
    Passive,
}

/// A session that is logged in.
#[derive(Debug)]
pub struct Client {
    /// Lines are read from it, and the stream in it is written to.
    control: BufReader<TcpStream>,
    own: Ipv4Addr,
}

impl Client {
    /// Connects and logs in.
    pub fn login(to: SocketAddr) -> Result<Self> {
        let control = TcpStream::connect_timeout(&to, LIMIT)
            .with_context(|| format!("no control connection to {to}"))?;
        control.set_nodelay(true)?;
        control.set_read_timeout(Some(LIMIT))?;
        let IpAddr::V4(own) = control.local_addr()?.ip() else {
            bail!("a control connection by IPv6");
        };
        let control = BufReader::with_capacity(512, control);
        let mut client = Self { control, own };
        client.expect("220")?;
        client.ask("USER bench", "331")?;
        client.ask("PASS bench", "230")?;
        Ok(client)
    }

    /// Sends a command; its reply has to begin with `code`.
    pub fn ask(&mut self, command: &str, code: &str) -> Result<String> {
        self.control
            .get_mut()
            .write_all(format!("{command}\r\n").as_bytes())?;
        self.expect(code).with_context(|| command.to_owned())
    }

    fn expect(&mut self, code: &str) -> Result<String> {
        let mut line = String::new();
        self.control
            .read_line(&mut line)
            .with_context(|| format!("no reply, {code} was due"))?;
        ensure!(
            line.starts_with(code),
            "the server says {:?}",
            line.trim_end()
        );
        Ok(line)
    }

    /// Opens a data connection, by which the server sends what is asked for.
    pub fn open(&mut self, how: How, what: &str) -> Result<TcpStream> {
        match how {
            How::Active => {
                let listener = TcpListener::bind((self.own, 0))?;
                let [a, b, c, d] = self.own.octets();
                let port = listener.local_addr()?.port();
                let port = format!("PORT {a},{b},{c},{d},{},{}", port >> 8, port & 255);
                self.ask(&port, "200")?;
                self.ask(&format!("RETR {what}"), "150")?;
                let mut waiting = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
                let ready = poll(&mut waiting, PollTimeout::try_from(LIMIT)?)?;
                ensure!(ready == 1, "no data connection came to {port}");
                Ok(listener.accept()?.0)
            }
            How::Passive => {
                let reply = self.ask("PASV", "227")?;
                let inside = reply.split_once('(').and_then(|(_, r)| r.split_once(')'));
                let to = address(inside.context("227 without an address")?.0)?;
                let data = TcpStream::connect_timeout(&to.into(), LIMIT)
                    .with_context(|| format!("no data connection to {to}"))?;
                self.ask(&format!("RETR {what}"), "150")?;
                Ok(data)
            }
        }
    }

    /// After a data connection was closed by either end.
    pub fn done(&mut self) -> Result<()> {
        self.expect("226").map(drop)
    }

    /// Reads a block, after which nothing more comes.
    pub fn read_block(mut data: &TcpStream) -> Result<()> {
        data.set_read_timeout(Some(LIMIT))?;
        Ok(data.read_exact(&mut vec![0; SIGNAL + BLOCK])?)
    }

    /// Gets a small file.
    pub fn get_small(&mut self, how: How) -> Result<()> {
        let mut data = self.open(how, "small")?;
        data.set_read_timeout(Some(LIMIT))?;
        let mut buffer = [0; 2 * SMALL];
        let mut got = 0;
        loop {
            match data.read(&mut buffer)? {
                0 => break,
                n => got += n,
            }
        }
        ensure!(got == SMALL, "a file of {got} bytes, {SMALL} were due");
        self.done()
    }
}
