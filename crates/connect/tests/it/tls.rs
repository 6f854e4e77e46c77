//! What can be wrong with a certificate, told apart.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rollcall_connect::client::Options;
use rollcall_connect::guard::Reach;
use rollcall_model::{Kind, Profile};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::scripted::{Said, serve, target_at, trouble_of};

/// An authority of the own house.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            authorities: vec![self.pem.clone()],
            ..Options::of(Reach::Anywhere)
        }
    }

    pub(crate) fn pem(&self) -> String {
        self.pem.clone()
    }

    /// Issues a certificate for `name`; returns it and its key, in PEM.
    pub(crate) fn certificate(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Starts an endpoint with a certificate for `name` that is valid until the end of a year.
    pub(crate) async fn endpoint(&self, name: &str, year: i32) -> SocketAddr {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(year, 12, 31);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // who distrusts the certificate goes away here
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, &|_, _| Said::list(&[]), &Mutex::default()).await;
                    }
                });
            }
        });
        address
    }
}

/// Starts a server that speaks HTTP where TLS is expected.
async fn without_tls() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut hello = [0; 4096];
            drop(stream.read(&mut hello).await);
            let refusal = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
            drop(stream.write_all(refusal).await);
        }
    });
    address
}

fn at(address: SocketAddr) -> String {
    format!("https://localhost:{}/scim", address.port())
}

#[tokio::test]
async fn a_certificate_of_an_authority_of_the_own_house_is_accepted_when_it_is_known() {
    let house = Authority::new();
    let address = house.endpoint("localhost", 4000).await;

    let target = target_at(&at(address), &house.options(), Profile::default());

    let kinds = [(Kind::User, "userName".to_owned())];
    let tested = target.test(&kinds, "nobody").await.unwrap();
    assert_eq!(tested.notes, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_told_with_what_to_do() {
    let house = Authority::new();
    let nobody = Options::of(Reach::Anywhere);
    let rows = [
        (
            house.endpoint("localhost", 2020).await,
            house.options(),
            "the TLS certificate of `localhost` has expired",
            "renew it there",
        ),
        (
            house.endpoint("other.example.com", 4000).await,
            house.options(),
            "the TLS certificate is for another name than `localhost`",
            "enter the name that it is for",
        ),
        (
            house.endpoint("localhost", 4000).await,
            nobody.clone(),
            "the TLS certificate of `localhost` was issued by nobody whom this server trusts",
            "have it issued by a public authority",
        ),
        (
            without_tls().await,
            nobody,
            "`localhost` does not speak TLS at this port",
            "check the port",
        ),
    ];
    for (address, options, what, to_do) in rows {
        let target = target_at(&at(address), &options, Profile::default());

        let message = trouble_of(&target).await;

        assert!(message.contains(what), "{message}");
        assert!(message.contains(to_do), "{message}");
    }
}
