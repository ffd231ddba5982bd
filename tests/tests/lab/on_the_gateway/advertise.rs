//! Another NAT further up that maps the gateway's outside address one to one,
//! as clouds do: what is announced has to be that NAT's address.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::Deref,
};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Client, Mode, Payload, Server,
    capture::Sides,
    control::port_command,
    firewall::{self, WAN},
    ftp_nat::FtpNat,
    host::Host,
    link,
    topologies::{Cloud, cloud::OUTSIDE},
    topology::{CLIENT_INSIDE, ETH},
};

/// What the gateway's outside address is to itself.
const PRIVATE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
/// And what the world knows it by.
const PUBLIC: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

/// A gateway behind such a NAT, whose input chain lets in what is marked.
struct Behind(Cloud);

impl Deref for Behind {
    type Target = Cloud;

    fn deref(&self) -> &Cloud {
        &self.0
    }
}

impl Behind {
    fn new() -> Result<Self> {
        let cloud = Cloud::new(PRIVATE, PUBLIC)?;
        super::shut(&cloud.gateway)?;
        Ok(Self(cloud))
    }

    fn start(&self) -> Result<FtpNat> {
        let map = format!("{PRIVATE}={PUBLIC}");
        self.ftp_nat().arg("--advertise").arg(&map).start()
    }

    /// Transfers between a client and a server, whose announcements have to
    /// name the public address on the outer side.
    fn transfers(&self, client: &Host, server: &Server, at: IpAddr, mode: Mode) -> Result<()> {
        let ftp_nat = self.start()?;
        let ends = (client.capture(ETH), self.outside.capture(ETH)?);
        let target = server.target(SocketAddr::new(at, 21));
        let big = server.publish_random("download.bin", 8, 300_013)?;
        let session = client.ftp(Client::Curl).mode(mode).to(&target);
        big.verify(&session.get("download.bin")?)?;
        let up = Payload::random(9, 200_017);
        session.put("upload.bin", up.bytes())?;
        up.verify(&server.uploaded("upload.bin")?)?;
        ftp_nat.until_counter("expectations_used", 2)?;
        ensure!(ftp_nat.counter("rewrites")? >= 2, "nothing was rewritten");
        if let (Ok(client), outside) = ends {
            Sides::stop((client, outside))?.verify_checksums()?;
        }
        Ok(())
    }
}

#[test]
fn inside_client_port() -> Result<()> {
    let cloud = Behind::new()?;
    let server = cloud.outside.vsftpd().start()?;
    cloud.transfers(&cloud.inside, &server, OUTSIDE.into(), Mode::Port)
}

#[test]
fn client_on_the_gateway_port() -> Result<()> {
    let cloud = Behind::new()?;
    let server = cloud.outside.vsftpd().start()?;
    cloud.transfers(&cloud.gateway, &server, OUTSIDE.into(), Mode::Port)
}

#[test]
fn client_on_the_gateway_eprt() -> Result<()> {
    let cloud = Behind::new()?;
    let server = cloud.outside.vsftpd().start()?;
    cloud.transfers(&cloud.gateway, &server, OUTSIDE.into(), Mode::Eprt)
}

#[test]
fn server_on_the_gateway_pasv() -> Result<()> {
    let cloud = Behind::new()?;
    let server = cloud.gateway.vsftpd().bind(PRIVATE.into()).start()?;
    cloud.transfers(&cloud.outside, &server, PUBLIC.into(), Mode::Pasv)
}

#[test]
fn inside_server_pasv() -> Result<()> {
    let cloud = Behind::new()?;
    let server = cloud.inside.vsftpd().start()?;
    firewall::forward_port(&cloud.gateway, 21, CLIENT_INSIDE, 21)?;
    cloud.transfers(&cloud.outside, &server, PUBLIC.into(), Mode::Pasv)
}

/// The gateway's own stream is edited where it leaves: with numbers that shift
/// more with every announcement, and with every offload.
#[test]
fn a_client_on_the_gateway_whose_numbers_shift() -> Result<()> {
    for offloads in link::Offloads::ALL {
        let cloud = Behind::new()?;
        offloads.set(&cloud.gateway, WAN)?;
        offloads.set(&cloud.outside, ETH)?;
        let server = cloud.outside.vsftpd().start()?;
        let ftp_nat = cloud.start()?;
        let mut control = cloud
            .gateway
            .log_in(&server.target(SocketAddr::new(OUTSIDE.into(), 21)))?;
        let file = server.publish_random("file", 10, 5_000)?;
        for n in 0..40 {
            // `10,99,0,2,4,N` is shorter than `198,51,100,7,4,N`.
            let listener = control.listen(1024 + n % 10)?;
            let port = listener.local_addr()?.port();
            let reply = control.say(&port_command(PRIVATE, port))?;
            ensure!(reply.code == 200, "PORT was answered `{}`", reply.text);
            file.verify(&control.retrieve_from(&listener, "file")?)?;
            drop(listener);
        }
        ensure!(ftp_nat.counter("rewrites_shifted")? == 40);
    }
    Ok(())
}

/// Without the option the far end is told the private address, as before.
#[test]
fn without_the_option_nothing_is_rewritten() -> Result<()> {
    let cloud = Behind::new()?;
    let server = cloud.gateway.vsftpd().bind(PRIVATE.into()).start()?;
    let ftp_nat = cloud.ftp_nat().start()?;
    let mut control = cloud
        .outside
        .log_in(&server.target(SocketAddr::new(PUBLIC.into(), 21)))?;
    let told = control.passive()?;
    ensure!(told.ip() == IpAddr::V4(PRIVATE), "227 named {told}");
    ensure!(ftp_nat.counter("rewrites")? == 0);
    Ok(())
}

#[test]
fn an_address_with_two_public_ones_is_refused() -> Result<()> {
    let cloud = Behind::new()?;
    let two = format!("{PRIVATE}={PUBLIC},{PRIVATE}=198.51.100.8");
    let refused = cloud.ftp_nat().arg("--advertise").arg(&two).refused()?;
    ensure!(!refused.status.success());
    ensure!(refused.stderr.contains("two public addresses"));
    Ok(())
}
