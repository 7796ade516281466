//! Turns the errors of sockets, TLS and HTTP into the typed faults of `model`.

use std::error::Error;
use std::io;

use rustix::io::Errno;
use rustls::pki_types::UnixTime;
use rustls::{CertificateError, InvalidMessage};

use super::connection::counting_stream::is_reset;
use super::tls::pin_verifier::PinMismatch;
use crate::model::{LinkFault, LocalFault, TlsFault, printable};

/// The longest text from outside (a certificate, a proxy, the operating system) that is kept.
const MAX_TEXT: usize = 200;

/// The fault behind an error of opening a TCP connection to `target`; `at_once` where the operating system refused
/// without asking anybody.
pub(super) fn connecting(e: &io::Error, target: &str, at_once: bool) -> LinkFault {
    let what = || printable(&e.to_string(), MAX_TEXT);
    match (e.kind(), Errno::from_io_error(e)) {
        (io::ErrorKind::ConnectionRefused, _) => LinkFault::Refused {
            target: target.to_owned(),
        },
        // Not at once, it means that a neighbour does not answer, which may be the device.
        (_, Some(Errno::HOSTUNREACH)) if at_once => LocalFault::NoNetwork { what: what() }.into(),
        (_, Some(Errno::ACCESS | Errno::PERM)) => LocalFault::Forbidden { what: what() }.into(),
        _ => io_fault(e),
    }
}

/// What this machine itself lacks, if that is the error.
pub(super) fn local(e: &io::Error) -> Option<LocalFault> {
    let what = || printable(&e.to_string(), MAX_TEXT);
    Some(match Errno::from_io_error(e)? {
        Errno::MFILE | Errno::NFILE => LocalFault::NoDescriptor { what: what() },
        Errno::NOBUFS | Errno::NOMEM => LocalFault::NoMemory { what: what() },
        Errno::ADDRNOTAVAIL => LocalFault::NoPort { what: what() },
        Errno::NETUNREACH | Errno::NETDOWN => LocalFault::NoNetwork { what: what() },
        _ => return None,
    })
}

/// The fault behind an error of an open connection.
pub(super) fn io_fault(e: &io::Error) -> LinkFault {
    if let Some(local) = local(e) {
        return local.into();
    }
    match e.kind() {
        kind if is_reset(kind) => LinkFault::Reset,
        io::ErrorKind::UnexpectedEof => LinkFault::ClosedWithoutAnswer,
        _ => LinkFault::Io {
            what: printable(&e.to_string(), MAX_TEXT),
        },
    }
}

/// The fault behind a failed TLS handshake with a host that should be `wanted`.
pub(super) fn handshake(e: &io::Error, wanted: &str) -> LinkFault {
    if let Some(fault) = find::<LinkFault>(e) {
        return fault.clone();
    }
    match find::<rustls::Error>(e) {
        Some(tls) => tls_fault(tls, wanted).into(),
        None => io_fault(e),
    }
}

/// The fault behind a failed exchange.
pub(super) fn exchange(e: &hyper::Error) -> LinkFault {
    // First, answers that cannot be read: their cause may be an IO error of the parser.
    if e.is_parse_status() {
        return garbled("status code out of range");
    }
    if e.is_parse() {
        return garbled(&e.to_string());
    }
    // A tunnel below the connection may say more than that it ended.
    if let Some(fault) = find::<LinkFault>(e) {
        return fault.clone();
    }
    if let Some(tls) = find::<rustls::Error>(e) {
        let what = printable(&tls.to_string(), MAX_TEXT);
        return TlsFault::Other { what }.into();
    }
    if let Some(io) = find::<io::Error>(e) {
        return io_fault(io);
    }
    // Incomplete, or closed before the request was even taken: in each case no answer.
    if e.is_incomplete_message() || e.is_canceled() || e.is_closed() {
        return LinkFault::ClosedWithoutAnswer;
    }
    LinkFault::Io {
        what: printable(&crate::model::chain(e), MAX_TEXT),
    }
}

/// An answer came, and it is unusable.
pub(super) fn garbled(what: &str) -> LinkFault {
    LinkFault::Garbled {
        what: printable(what, MAX_TEXT),
    }
}

/// The first error of type `T` in a chain. `io::Error` hides what it wraps from `source()`, so it is
/// opened by hand.
fn find<'a, T: Error + 'static>(e: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(e);
    while let Some(e) = next {
        if let Some(found) = e.downcast_ref::<T>() {
            return Some(found);
        }
        next = match e.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => e.source(),
        };
    }
    None
}

fn tls_fault(e: &rustls::Error, wanted: &str) -> TlsFault {
    let other = || TlsFault::Other {
        what: printable(&e.to_string(), MAX_TEXT),
    };
    let certificate = match e {
        rustls::Error::InvalidCertificate(certificate) => certificate,
        // The first bytes were no TLS record: plain HTTP, SSH, anything.
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge,
        ) => return TlsFault::NotTls,
        _ => return other(),
    };
    match certificate {
        CertificateError::ExpiredContext { time, not_after } => TlsFault::Expired {
            days: i64::try_from(time.as_secs().saturating_sub(not_after.as_secs()) / 86_400)
                .unwrap_or(i64::MAX),
            not_after: rfc3339(*not_after),
        },
        CertificateError::NotValidYetContext { not_before, .. } => TlsFault::NotYetValid {
            not_before: rfc3339(*not_before),
        },
        CertificateError::UnknownIssuer => TlsFault::UnknownIssuer,
        CertificateError::NotValidForNameContext { presented, .. } => TlsFault::WrongName {
            wanted: wanted.to_owned(),
            names: match presented.as_slice() {
                [] => "no name at all".to_owned(),
                names => printable(&names.join(", "), MAX_TEXT),
            },
        },
        // A signature in the chain that does not verify is an unknown issuer (`ca_verifier`): this is the handshake's.
        CertificateError::BadSignature => TlsFault::WithoutKey,
        CertificateError::Other(inner) => match find::<PinMismatch>(inner) {
            Some(mismatch) => TlsFault::PinMismatch {
                got: mismatch.got.clone(),
            },
            None => other(),
        },
        _ => other(),
    }
}

fn rfc3339(time: UnixTime) -> String {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|s| jiff::Timestamp::from_second(s).ok())
        .map_or_else(|| "a date out of range".to_owned(), |t| t.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FailureKind;

    #[test]
    fn a_fault_is_found_however_deep_it_is_wrapped() {
        let inner = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, inner));
        assert_eq!(
            handshake(&wrapped, "a"),
            LinkFault::Tls(TlsFault::UnknownIssuer)
        );
    }

    #[test]
    fn what_the_system_says_is_kept() {
        let e = io::Error::from(Errno::HOSTUNREACH);
        assert_eq!(
            connecting(&e, "h:1", false),
            LinkFault::Io {
                what: e.to_string()
            }
        );
        let e = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(
            connecting(&e, "h:1", true),
            LinkFault::Refused {
                target: "h:1".into()
            }
        );
    }

    #[test]
    fn what_this_machine_lacks_is_not_told_as_the_devices() {
        for (errno, code) in [
            (Errno::MFILE, "local_descriptors"),
            (Errno::NFILE, "local_descriptors"),
            (Errno::NOBUFS, "local_memory"),
            (Errno::NOMEM, "local_memory"),
            (Errno::ADDRNOTAVAIL, "local_ports"),
            (Errno::NETUNREACH, "local_network"),
            (Errno::NETDOWN, "local_network"),
            (Errno::HOSTUNREACH, "local_network"),
            (Errno::PERM, "local_forbidden"),
            (Errno::ACCESS, "local_forbidden"),
        ] {
            let fault = connecting(&errno.into(), "h:1", true);
            assert!(fault.spares_device(), "{fault}");
            assert_eq!(FailureKind::from(fault).code(), code);
        }
        for errno in [Errno::CONNRESET, Errno::TIMEDOUT, Errno::PIPE] {
            let fault = connecting(&errno.into(), "h:1", true);
            assert!(!fault.spares_device(), "{fault}");
        }
    }
}
