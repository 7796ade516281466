//! Sections 1 to 4: transport, status codes, version and status.

use super::*;

#[tokio::test]
async fn each_response_is_json_and_closes_the_connection() {
    let fleet = one("").await;
    for (path, status) in [
        ("/api/system/version", 200),
        ("/api/nothing", 404),
        (CHECK, 401),
    ] {
        let reply = get(&fleet, path, "Connection: keep-alive\r\n")
            .await
            .unwrap();
        assert_eq!(reply.status, status, "{path}");
        assert!(
            reply.head.contains("content-type: application/json"),
            "{}",
            reply.head
        );
        assert!(reply.head.contains("connection: close"), "{}", reply.head);
        assert_eq!(reply.body.is_empty(), status != 200);
    }
    let recording = fleet.hem().recording();
    assert_eq!((recording.connections, recording.requests.len()), (3, 3));
    assert_eq!(recording.max_overlap, 1);
    fleet.shutdown().await;
}

#[tokio::test]
async fn wrong_methods_and_origins() {
    let fleet = one("").await;
    let reply = post(&fleet, "/api/system/version", "", b"").await.unwrap();
    assert_eq!(reply.status, 404);
    let origin = "Origin: https://evil.example\r\n";
    let reply = get(&fleet, "/api/system/version", origin).await.unwrap();
    assert_eq!(reply.status, 412);
    let origin = "Origin: https://my.ence.do\r\n";
    let reply = get(&fleet, "/api/system/version", origin).await.unwrap();
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn keys_and_crypto_want_tls() {
    let fleet = one("").await;
    let reply = get(&fleet, "/api/keymgmt/list", "").await.unwrap();
    assert_eq!(reply.status, 418);
    let fleet = one("scheme = \"https\"").await;
    let reply = get(&fleet, "/api/crypto/cipher/encrypt", "").await.unwrap();
    assert_eq!(reply.status, 401);
}

#[tokio::test]
async fn lengths() {
    let fleet = one("").await;
    let chunked = "POST /api/auth/token HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(raw(&fleet, chunked.as_bytes()).await.unwrap().status, 411);
    let none = "POST /api/auth/token HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(raw(&fleet, none.as_bytes()).await.unwrap().status, 411);
    let long = "POST /api/auth/token HTTP/1.1\r\nHost: h\r\nContent-Length: 7301\r\n\r\n";
    assert_eq!(raw(&fleet, long.as_bytes()).await.unwrap().status, 413);
    let body = format!("{:7300}", "{}");
    let reply = post(&fleet, "/api/auth/token", "", body.as_bytes()).await;
    assert_eq!(reply.unwrap().status, 400);
}

#[tokio::test]
async fn a_bad_authorization_is_401_wherever_it_comes() {
    let fleet = one("").await;
    for path in ["/api/system/version", "/api/nothing", CHECK] {
        for header in [bearer("a.b.c"), "Authorization: Basic YTpi\r\n".to_owned()] {
            let reply = get(&fleet, path, &header).await.unwrap();
            assert_eq!(reply.status, 401, "{path}");
        }
    }
    assert_eq!(fleet.hem().recording().unauthorized(), 6);
}

#[tokio::test]
async fn status_has_each_field_only_when_it_applies() {
    let fleet = one("uptime = \"2h\"").await;
    let status = get(&fleet, "/api/system/status", "").await.unwrap().json();
    let uptime = status["uptime"].as_u64().unwrap();
    assert!((7200..7260).contains(&uptime), "{uptime}");
    assert_eq!(
        (status["fls_state"].as_u64(), status["https"].as_bool()),
        (Some(0), Some(false))
    );
    let now = jiff::Timestamp::now().as_second();
    let time = status["time"].as_i64().unwrap();
    assert!((time - now).abs() < 30, "{time}");
    let ts: jiff::Timestamp = status["ts"].as_str().unwrap().parse().unwrap();
    assert_eq!(ts.as_second(), time);
    for absent in ["inited", "hostname", "tts", "fw_upgrade", "format"] {
        assert!(status.get(absent).is_none(), "{absent}");
    }

    let lines = "fresh = true\nclock = \"unset\"\ntrusted_time = false\nfls_state = 8\nhost = \"a.ence.do\"\nscheme = \"https\"";
    let status = get(&one(lines).await, "/api/system/status", "")
        .await
        .unwrap()
        .json();
    assert_eq!(status["inited"], false);
    assert_eq!(status["hostname"], "a.ence.do");
    assert_eq!(
        (&status["tts"], &status["fls_state"]),
        (&false.into(), &8.into())
    );
    for absent in ["ts", "time", "https"] {
        assert!(status.get(absent).is_none(), "{absent}");
    }
}

#[tokio::test]
async fn both_models_say_what_they_are() {
    let fleet = one("").await;
    let ppa = version(&fleet).await;
    assert_eq!(ppa["hwv"], "PPA rev 2.2");
    assert_eq!(ppa["fwv"], "Encedo nGINE FW v1.2.2");
    assert_eq!(ppa["fws"], fleet.hem().fws().to_string());
    assert!(ppa["uis"].is_string());
    let epa = one("model = \"EPA\"").await;
    assert!(version(&epa).await["hwv"].as_str().unwrap().contains("EPA"));
    let token = token(&epa, "system:upgrade").await;
    for path in [CHECK, INSTALL] {
        assert_eq!(get(&epa, path, &bearer(&token)).await.unwrap().status, 404);
    }
    assert_eq!(upload(&epa, &token, b"x").await.unwrap().status, 404);
}

#[tokio::test]
async fn tls_is_1_3_and_names_the_host() {
    let fleet = one("scheme = \"https\"").await;
    let tcp = || TcpStream::connect(fleet.hem().addr());
    let stream = tls(&fleet, tcp().await.unwrap(), "my.ence.do")
        .await
        .unwrap();
    let version = stream.get_ref().1.protocol_version();
    assert_eq!(version, Some(rustls::ProtocolVersion::TLSv1_3));
    assert!(
        tls(&fleet, tcp().await.unwrap(), "other.example")
            .await
            .is_err()
    );

    // A client that knows nothing newer than TLS 1.2.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let old = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from("my.ence.do").unwrap();
    let refused = tokio_rustls::TlsConnector::from(Arc::new(old))
        .connect(name, tcp().await.unwrap())
        .await;
    assert!(refused.unwrap_err().to_string().contains("ProtocolVersion"));
}

#[tokio::test]
async fn bad_certificates_are_bad_each_in_its_way() {
    for (kind, says) in [
        ("expired", "expired"),
        ("wrong-name", "other.ence.do"),
        ("unknown-ca", "UnknownIssuer"),
        ("self-signed", "UnknownIssuer"),
    ] {
        let fleet = one(&format!("scheme = \"https\"\ntls = \"{kind}\"")).await;
        let error = dial(&fleet).await.err().unwrap().to_string();
        assert!(error.contains(says), "{kind}: {error}");
        within(
            "the failed handshake",
            fleet.hem().wait_for(|j| j.tls_failures == 1),
        )
        .await;
    }
}

#[tokio::test]
async fn an_appliance_has_no_storage() {
    for (model, has) in [("PPA", true), ("EPA", false)] {
        let fleet = one(&format!("model = \"{model}\"")).await;
        let card = version(&fleet).await.get("sd_cid").cloned();
        assert_eq!(card.is_some_and(|c| is_base64_of(&c, 16)), has, "{model}");
        let status = get(&fleet, STATUS, "").await.unwrap().json();
        assert_eq!(status.get("storage").is_some(), has, "{model}");
    }
}
