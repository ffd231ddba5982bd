//! A control connection by hand, for tests that need to say exactly what is
//! sent and when.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use super::{host::Host, server::Target, wait};

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// A reply of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its three digits.
    pub code: u16,
    /// Its last line, code included.
    pub text: String,
}

/// A control connection.
#[derive(Debug)]
pub struct Control {
    host: Host,
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Host {
    /// Opens a control connection and logs in.
    pub fn log_in(&self, target: &Target) -> Result<Control> {
        let mut control = Control::open(self, target.at)?;
        let reply = control.say(&format!("USER {}", target.user))?;
        match reply.code {
            230 => {}
            331 => drop(control.expect(&format!("PASS {}", target.password), 230)?),
            _ => bail!("USER was answered `{}`", reply.text),
        }
        control.expect("TYPE I", 200)?;
        Ok(control)
    }
}

impl Control {
    /// Opens a control connection and reads the greeting.
    pub fn open(host: &Host, at: SocketAddr) -> Result<Self> {
        let stream = host.connect(at)?;
        stream.set_nodelay(true)?;
        Self::over(host, stream)
    }

    /// Reads the greeting of a connection that was opened with care.
    pub fn over(host: &Host, stream: TcpStream) -> Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let reader = BufReader::new(stream.try_clone()?);
        let mut control = Self {
            host: host.clone(),
            stream,
            reader,
        };
        let greeting = control.reply()?;
        ensure!(
            greeting.code == 220,
            "the server greeted with `{}`",
            greeting.text
        );
        Ok(control)
    }

    /// This end's address.
    pub fn local(&self) -> Result<SocketAddr> {
        Ok(self.stream.local_addr()?)
    }

    /// The socket, to write what no FTP client would.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Reads one reply to its end.
    pub fn reply(&mut self) -> Result<Reply> {
        let mut first = None;
        loop {
            let mut line = Vec::new();
            let len = self
                .reader
                .read_until(b'\n', &mut line)
                .context("no reply")?;
            ensure!(len > 0, "the server closed the control connection");
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            let code = text.get(..3).and_then(|c| c.parse::<u16>().ok());
            let last = text.as_bytes().get(3).is_none_or(|b| *b == b' ');
            match (first, code) {
                (None, None) => bail!("`{text}` is no reply"),
                (None, Some(code)) if last => return Ok(Reply { code, text }),
                (None, Some(code)) => first = Some(code),
                (Some(f), Some(code)) if f == code && last => return Ok(Reply { code, text }),
                _ => {}
            }
        }
    }

    /// Sends a command and reads its reply.
    pub fn say(&mut self, command: &str) -> Result<Reply> {
        self.send(command)?;
        self.reply().with_context(|| format!("after `{command}`"))
    }

    /// Sends a command in one segment and doesn't wait.
    pub fn send(&mut self, command: &str) -> Result<()> {
        self.stream.write_all(format!("{command}\r\n").as_bytes())?;
        Ok(())
    }

    /// Sends a command whose reply must have a code.
    pub fn expect(&mut self, command: &str, code: u16) -> Result<Reply> {
        let reply = self.say(command)?;
        ensure!(
            reply.code == code,
            "`{command}` was answered `{}`",
            reply.text
        );
        Ok(reply)
    }

    /// Waits for a reply that must have a code.
    pub fn expect_reply(&mut self, code: u16) -> Result<Reply> {
        let reply = self.reply()?;
        ensure!(reply.code == code, "expected {code}, got `{}`", reply.text);
        Ok(reply)
    }

    /// Listens on this host; port 0 takes a free one.
    pub fn listen(&self, port: u16) -> Result<TcpListener> {
        let ip = self.local()?.ip();
        self.host.listen(SocketAddr::new(ip, port))
    }

    /// Announces a port of this host with PORT.
    pub fn announce(&mut self, port: u16) -> Result<Reply> {
        let IpAddr::V4(ip) = self.local()?.ip() else {
            bail!("PORT is for IPv4")
        };
        self.say(&port_command(ip, port))
    }

    /// Fetches a file in active mode, through a listener that was announced.
    pub fn retrieve_from(&mut self, listener: &TcpListener, name: &str) -> Result<Vec<u8>> {
        self.expect(&format!("RETR {name}"), 150)?;
        let (mut data, _) = accept(listener)?;
        let mut got = Vec::new();
        data.read_to_end(&mut got)?;
        drop(data);
        self.expect_reply(226)?;
        Ok(got)
    }

    /// Fetches a file in active mode over a port of this host (0: any).
    pub fn retrieve_active(&mut self, port: u16, name: &str) -> Result<Vec<u8>> {
        let listener = self.listen(port)?;
        let reply = self.announce(listener.local_addr()?.port())?;
        ensure!(reply.code == 200, "PORT was answered `{}`", reply.text);
        self.retrieve_from(&listener, name)
    }

    /// Asks for passive mode and gives the address that came in 227.
    pub fn passive(&mut self) -> Result<SocketAddr> {
        let reply = self.expect("PASV", 227)?;
        address_of_227(&reply.text)
    }

    /// Fetches a file in passive mode.
    pub fn retrieve_passive(&mut self, name: &str) -> Result<Vec<u8>> {
        let at = self.passive()?;
        self.retrieve_at(at, name)
    }

    /// Fetches a file from where a reply said.
    pub fn retrieve_at(&mut self, at: SocketAddr, name: &str) -> Result<Vec<u8>> {
        let mut data = self.host.connect(at)?;
        data.set_read_timeout(Some(PATIENCE))?;
        self.expect(&format!("RETR {name}"), 150)?;
        let mut got = Vec::new();
        data.read_to_end(&mut got)?;
        drop(data);
        self.expect_reply(226)?;
        Ok(got)
    }
}

/// Accepts a connection within a time, with a time limit on its reads.
pub fn accept(listener: &TcpListener) -> Result<(TcpStream, SocketAddr)> {
    listener.set_nonblocking(true)?;
    let (data, from) = wait::until("a data connection", PATIENCE, || match listener.accept() {
        Ok(pair) => Ok(Some(pair)),
        Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
        Err(e) => Err(e.into()),
    })?;
    data.set_nonblocking(false)?;
    data.set_read_timeout(Some(PATIENCE))?;
    Ok((data, from))
}

/// The text of a PORT command (RFC 959 section 4.1.2).
pub fn port_command(ip: Ipv4Addr, port: u16) -> String {
    let ([a, b, c, d], [high, low]) = (ip.octets(), port.to_be_bytes());
    format!("PORT {a},{b},{c},{d},{high},{low}")
}

/// The address in a 227 reply.
pub fn address_of_227(text: &str) -> Result<SocketAddr> {
    let inner = text
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'));
    let (numbers, _) = inner.with_context(|| format!("no address in `{text}`"))?;
    let octets = numbers
        .split(',')
        .map(|n| n.trim().parse::<u8>())
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("`{numbers}` is no address"))?;
    let [a, b, c, d, high, low] = octets[..] else {
        bail!("`{numbers}` is no address")
    };
    Ok(SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])).into())
}
