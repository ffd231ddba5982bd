//! Another NAT further up that maps the gateway's outside address one to one,
//! as clouds do: what is announced has to be that NAT's address.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Result, ensure};
use ftp_nat_tests::lab::{
    Client, Mode, Payload, Server,
    capture::Sides,
    control::port_command,
    firewall::{self, LAN, WAN},
    ftp_nat::{self, FtpNat},
    host::Host,
    link,
    net::Net,
    topology::{CLIENT_INSIDE, ETH, GATEWAY_INSIDE},
};

use super::MARKED;

/// What the gateway's outside address is to itself.
const PRIVATE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
/// And what the world knows it by.
const PUBLIC: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const CLOUD_INSIDE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
const CLOUD_OUTSIDE: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 1);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(61, 144, 1, 100);

/// ```text
///  inside                gateway                cloud                outside
///  10.10.0.1 -- 10.10.0.254 (lan) (wan) 10.99.0.2 -- 10.99.0.1
///                      masquerade   198.51.100.7 = 10.99.0.2, 61.144.1.1 -- 61.144.1.100
/// ```
struct Cloud {
    inside: Host,
    gateway: Host,
    outside: Host,
    net: Net,
}

impl Cloud {
    fn new() -> Result<Self> {
        let net = Net::new()?;
        let (inside, gateway) = (net.host("inside")?, net.host("gateway")?);
        let (cloud, outside) = (net.host("cloud")?, net.host("outside")?);
        link::join(&inside, ETH, &gateway, LAN)?;
        link::join(&gateway, WAN, &cloud, "in")?;
        link::join(&cloud, "out", &outside, ETH)?;
        inside.address(ETH, &format!("{CLIENT_INSIDE}/24"))?;
        gateway.address(LAN, &format!("{GATEWAY_INSIDE}/24"))?;
        gateway.address(WAN, &format!("{PRIVATE}/24"))?;
        cloud.address("in", &format!("{CLOUD_INSIDE}/24"))?;
        cloud.address("out", &format!("{CLOUD_OUTSIDE}/24"))?;
        outside.address(ETH, &format!("{OUTSIDE}/24"))?;
        inside.default_route(GATEWAY_INSIDE.into())?;
        gateway.default_route(CLOUD_INSIDE.into())?;
        outside.default_route(CLOUD_OUTSIDE.into())?;
        for router in [&gateway, &cloud] {
            router.sysctl("net.ipv4.ip_forward", "1")?;
        }
        firewall::masquerade(&gateway)?;
        gateway.nft(&super::INPUT.replace("MARKED", MARKED))?;
        // One to one, whatever the port.
        cloud.nft(&format!(
            "
table ip nat {{
    chain prerouting {{
        type nat hook prerouting priority dstnat;
        iifname out ip daddr {PUBLIC} dnat to {PRIVATE}
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        oifname out ip saddr {PRIVATE} snat to {PUBLIC}
    }}
}}"
        ))?;
        Ok(Self {
            inside,
            gateway,
            outside,
            net,
        })
    }

    fn builder(&self) -> ftp_nat::Builder {
        ftp_nat::Builder::new(&self.gateway, self.net.pin_path())
            .lan(LAN)
            .wan(WAN)
    }

    fn start(&self) -> Result<FtpNat> {
        let map = format!("{PRIVATE}={PUBLIC}");
        self.builder().arg("--advertise").arg(&map).start()
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
    let cloud = Cloud::new()?;
    let server = cloud.outside.vsftpd().start()?;
    cloud.transfers(&cloud.inside, &server, OUTSIDE.into(), Mode::Port)
}

#[test]
fn client_on_the_gateway_port() -> Result<()> {
    let cloud = Cloud::new()?;
    let server = cloud.outside.vsftpd().start()?;
    cloud.transfers(&cloud.gateway, &server, OUTSIDE.into(), Mode::Port)
}

#[test]
fn client_on_the_gateway_eprt() -> Result<()> {
    let cloud = Cloud::new()?;
    let server = cloud.outside.vsftpd().start()?;
    cloud.transfers(&cloud.gateway, &server, OUTSIDE.into(), Mode::Eprt)
}

#[test]
fn server_on_the_gateway_pasv() -> Result<()> {
    let cloud = Cloud::new()?;
    let server = cloud.gateway.vsftpd().bind(PRIVATE.into()).start()?;
    cloud.transfers(&cloud.outside, &server, PUBLIC.into(), Mode::Pasv)
}

#[test]
fn inside_server_pasv() -> Result<()> {
    let cloud = Cloud::new()?;
    let server = cloud.inside.vsftpd().start()?;
    firewall::forward_port(&cloud.gateway, 21, CLIENT_INSIDE, 21)?;
    cloud.transfers(&cloud.outside, &server, PUBLIC.into(), Mode::Pasv)
}

/// The gateway's own stream is edited where it leaves: with numbers that shift
/// more with every announcement, and with every offload.
#[test]
fn a_client_on_the_gateway_whose_numbers_shift() -> Result<()> {
    for offloads in link::Offloads::ALL {
        let cloud = Cloud::new()?;
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
    let cloud = Cloud::new()?;
    let server = cloud.gateway.vsftpd().bind(PRIVATE.into()).start()?;
    let ftp_nat = cloud.builder().start()?;
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
    let cloud = Cloud::new()?;
    let two = format!("{PRIVATE}={PUBLIC},{PRIVATE}=198.51.100.8");
    let refused = cloud.builder().arg("--advertise").arg(&two).refused()?;
    ensure!(!refused.status.success());
    ensure!(refused.stderr.contains("two public addresses"));
    Ok(())
}
