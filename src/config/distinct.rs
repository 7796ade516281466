//! Every device of the inventory stands in it once: by its name, and by the way to it.
//! Must not: resolve a name; two names of one host are two hosts here.

use std::collections::HashMap;

use super::device_part::DevicePart;
use super::fault::quoted;
use super::file::File;
use super::value::Complaint;
use super::walk::{Given, Spot, Walk};
use crate::model::{DeviceSpec, HostPort, SshJump};

/// Complains of two devices of one name.
pub(super) fn names(walk: &mut Walk, file: &File) {
    let mut seen: HashMap<&str, &Spot> = HashMap::new();
    for part in &file.devices {
        let Some((name, spot)) = part.name.good() else {
            continue;
        };
        if let Some(first) = seen.get(name.as_str()) {
            let fault = walk
                .fault(
                    spot,
                    Complaint::new(format!("a second device is called {}", quoted(name))).hint(
                        "names are how you and your scripts tell devices apart: give each its own",
                    ),
                )
                .related(walk.location(first), "first used here");
            walk.push(fault);
        } else {
            seen.insert(name, spot);
        }
    }
}

/// Two entries that lead to one device would upgrade it twice at once.
pub(super) fn targets(
    walk: &mut Walk,
    devices: &[(DeviceSpec, &DevicePart)],
    defaults: &DevicePart,
) {
    let mut seen: HashMap<String, (&DeviceSpec, &DevicePart)> = HashMap::new();
    // A way that could not be read is not known to be anybody else's.
    let is_read = |part: &DevicePart| {
        !matches!(part.connect.or(&defaults.connect), Given::Bad)
            && !matches!(part.proxy.or(&defaults.proxy), Given::Bad)
            && !matches!(part.ssh.or(&defaults.ssh), Given::Bad)
    };
    for (spec, part) in devices.iter().filter(|(_, part)| is_read(part)) {
        let jump = spec.ssh.as_ref().map(jump_host);
        let way = format!("{} {:?} {jump:?}", target(spec), spec.proxy);
        if let Some((other, first)) = seen.get(&way) {
            let way = match (&spec.proxy, &spec.ssh) {
                (Some(_), _) => "through the same proxy",
                (None, Some(_)) => "through the same jump host",
                (None, None) => "without a proxy",
            };
            let fault = walk
                .fault(
                    place_of(part),
                    Complaint::new(format!(
                        "{} leads to {} {way}, as {} does",
                        quoted(spec.id.as_str()),
                        spec.target(),
                        quoted(other.id.as_str())
                    ))
                    .hint("one device must not be upgraded twice at once: remove one of them, or tell them apart by connect, proxy or ssh"),
                )
                .related(walk.location(place_of(first)), "the same device");
            walk.push(fault);
        } else {
            seen.insert(way, (spec, part));
        }
    }
}

/// Where a connection ends, with the spellings of one place made equal. A device listens on 80 and
/// 443 alike, so that without `connect` the two are one.
fn target(spec: &DeviceSpec) -> HostPort {
    let at = spec.target();
    let host = match at.host.as_str() {
        "localhost" => "127.0.0.1".to_owned(),
        host => match host.parse::<std::net::IpAddr>() {
            Ok(ip) => ip.to_canonical().to_string(),
            Err(_) => host.trim_end_matches('.').to_ascii_lowercase(),
        },
    };
    let port = match at.port {
        80 if spec.endpoint.connect.is_none() => 443,
        port => port,
    };
    HostPort { host, port }
}

/// The machine that ssh goes to, whoever logs in there. What the user's own ssh calls two names may be
/// one machine still: that is not known here.
fn jump_host(jump: &SshJump) -> String {
    let text = jump.as_str();
    let place = text.strip_prefix("ssh://").unwrap_or(text);
    let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
    let host = host.trim_end_matches('/');
    host.strip_suffix(":22").unwrap_or(host).to_lowercase()
}

/// The key that says where the device is, or the device itself.
fn place_of(part: &DevicePart) -> &Spot {
    let connect = part.connect.good().map(|(_, s)| s);
    let ssh = part.ssh.good().map(|(_, s)| s);
    let url = part.url.good().map(|(_, s)| s);
    connect.or(ssh).or(url).unwrap_or(&part.spot)
}
