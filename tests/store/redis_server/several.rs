//! More than one server: TLS, sentinels that name another one, and clusters whose slots move.

use std::path::Path;

use lumoauth::asynchronous;
use lumoauth::store::{Prefix, RedisStore, Shelf, Store, StoreKey, contract};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use redis::ConnectionLike;

use super::{each, make};
use crate::engine::{Engine, free_port};
use crate::support::{WITHIN, key, wait};

/// Asks a server until it says so.
fn until(engine: &Engine, command: &[&str], says: impl Fn(&str) -> bool) {
    let mut aside = engine.aside();
    loop {
        let mut asked = redis::cmd(command[0]);
        asked.arg(&command[1..]);
        let answer = aside.req_command(&asked).map(|answer| format!("{answer:?}")).unwrap_or_default();
        if says(&answer) {
            return;
        }
        std::thread::yield_now();
    }
}

#[test]
fn tls_is_our_own_in_both_mounts_and_the_process_has_none_of_it() {
    each("TLS", |program| {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let own = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])
            .unwrap()
            .signed_by(&own, &authority)
            .unwrap();
        let plain = Engine::start(program, &[]);
        let file = |name: &str, text: String| {
            let path = plain.folder.join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (cert, own) = (file("cert", certificate.pem()), file("key", own.serialize_pem()));
        let root = file("root", authority.pem());
        let port = free_port().to_string();
        let more = ["--tls-port", &port, "--tls-cert-file", &cert, "--tls-key-file", &own];
        let more = [&more[..], &["--tls-ca-cert-file", &root, "--tls-auth-clients", "no"]].concat();
        let Some(_engine) = Engine::that_can(program, &more) else {
            crate::engine::skipped("TLS", program, "it was built without TLS");
            return;
        };
        let open = |host: &str, root: Option<String>| {
            let settings = RedisStore::server(format!("rediss://{host}:{port}")).unwrap();
            match root {
                Some(root) => settings.root_certificates(root).unsealed().unwrap(),
                None => settings.unsealed().unwrap(),
            }
        };
        let store = open("localhost", Some(authority.pem()));
        contract(&store).unwrap();
        wait(asynchronous::store::contract(&store)).unwrap();
        // Another name, or a root that nobody has named.
        for store in [open("127.0.0.1", Some(authority.pem())), open("localhost", None)] {
            let error = store.load(&key("a"), WITHIN).unwrap_err();
            assert!(error.is_unavailable() && error.to_string().contains("certificate"), "{error}");
        }
        let bad = RedisStore::server("rediss://h").unwrap().root_certificates("canary").unsealed();
        assert_eq!(bad.unwrap_err().argument(), "root_certificates");
        assert!(rustls::crypto::CryptoProvider::get_default().is_none());
    });
}

#[test]
fn sentinels_name_the_server_and_the_next_one_when_it_is_gone() {
    each("Sentinel", |program| {
        let ports: Vec<u16> = (0..2).map(|_| free_port()).collect();
        let login = ["--requirepass", "canary", "--masterauth", "canary"];
        let mut first = Engine::on_port(program, ports[0], &login);
        let of = ["--replicaof", "127.0.0.1", &ports[0].to_string()];
        let second = Engine::on_port_of(program, ports[1], &[&login[..], &of].concat(), Some("canary"));
        until(&second, &["INFO", "replication"], |answer| answer.contains("master_link_status:up"));
        let content = format!(
            "sentinel monitor mymaster 127.0.0.1 {} 2\nsentinel auth-pass mymaster canary\n\
             sentinel down-after-milliseconds mymaster 500\nsentinel failover-timeout mymaster 2000\n",
            ports[0]
        );
        let sentinels: Vec<Engine> =
            (0..3).map(|_| Engine::sentinel(program, free_port(), &content)).collect();
        for sentinel in &sentinels {
            until(sentinel, &["SENTINEL", "ckquorum", "mymaster"], |answer| answer.contains("3 usable"));
            until(sentinel, &["SENTINEL", "replicas", "mymaster"], |answer| {
                answer.contains("\"ok\"") || answer.contains("master-link-status")
            });
        }
        // The first of them does not answer at all.
        let dead = format!("redis://127.0.0.1:{}", free_port());
        let urls: Vec<String> = std::iter::once(dead).chain(sentinels.iter().map(Engine::url)).collect();
        let open = |name: &str| {
            RedisStore::sentinel(name, &urls).unwrap().credentials(None, "canary").unsealed().unwrap()
        };
        let store = open("mymaster");
        contract(&store).unwrap();
        let error = open("another").load(&key("a"), WITHIN).unwrap_err();
        assert!(error.to_string().contains("no servers of this name"), "{error}");
        let version = make(&store, &key("a"), b"1");
        let wrote: i64 = redis::cmd("WAIT").arg(1).arg(0).query(&mut aside(&first, "canary")).unwrap();
        assert_eq!(wrote, 1);
        first.kill();
        // Until another one is named it fails, each time by its time.
        let found = loop {
            match store.load(&key("a"), WITHIN) {
                Ok(found) => break found.unwrap(),
                Err(error) => assert!(error.is_unavailable(), "{error}"),
            }
        };
        assert_eq!((found.version(), found.bytes()), (version, &b"1"[..]));
        let next = loop {
            match store.save_if(&key("a"), Some(version), b"2", None, WITHIN) {
                Ok(saved) => break saved.unwrap(),
                Err(error) => assert!(error.is_unavailable(), "{error}"),
            }
        };
        assert_eq!(store.load(&key("a"), WITHIN).unwrap().unwrap().version(), next);
    });
}

fn aside(engine: &Engine, password: &str) -> redis::Connection {
    let url = format!("redis://:{password}@127.0.0.1:{}", engine.port);
    redis::Client::open(url).unwrap().get_connection().unwrap()
}

/// Three servers that are one cluster.
fn cluster(program: &Path) -> Vec<Engine> {
    let engines: Vec<Engine> = (0..3)
        .map(|_| {
            let bus = free_port().to_string();
            let more =
                ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-port", &bus];
            let engine = Engine::on_port(program, free_port(), &more);
            std::fs::write(engine.folder.join("bus"), bus).unwrap();
            engine
        })
        .collect();
    for (at, engine) in engines.iter().enumerate() {
        let mut aside = engine.aside();
        let (from, to) = (at * 5_462, (at * 5_462 + 5_461).min(16_383));
        let _: () = redis::cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(from).arg(to).query(&mut aside).unwrap();
        let _: () = redis::cmd("CLUSTER").arg("SET-CONFIG-EPOCH").arg(at + 1).query(&mut aside).unwrap();
        for other in &engines {
            let bus = std::fs::read_to_string(other.folder.join("bus")).unwrap();
            let mut meet = redis::cmd("CLUSTER");
            let _: () = meet.arg("MEET").arg("127.0.0.1").arg(other.port).arg(bus).query(&mut aside).unwrap();
        }
    }
    for engine in &engines {
        until(engine, &["CLUSTER", "INFO"], |answer| {
            answer.contains("cluster_state:ok") && answer.contains("cluster_size:3")
        });
    }
    engines
}

#[test]
fn a_cluster_is_followed_where_its_slots_go() {
    each("Cluster", |program| {
        let engines = cluster(program);
        let store = RedisStore::cluster([engines[0].url(), engines[1].url()]).unwrap().unsealed().unwrap();
        contract(&store).unwrap();
        wait(asynchronous::store::contract(&store)).unwrap();
        let keys: Vec<StoreKey> = (0..60).map(|number| key(&number.to_string())).collect();
        let versions: Vec<_> = keys.iter().map(|key| make(&store, key, b"1")).collect();
        for engine in &engines {
            let here: usize = redis::cmd("DBSIZE").query(&mut engine.aside()).unwrap();
            assert!((1..60).contains(&here), "{here} records on one of three servers");
        }
        assert_eq!(crate::support::keys(&store, &Prefix::all(Shelf::Sessions)).len(), 60);
        // The slot of one record goes to another server: on its way both are asked, and then the new one.
        let slot: u16 = redis::cmd("CLUSTER")
            .arg("KEYSLOT")
            .arg("lumoauth:sessions:7")
            .query(&mut engines[0].aside())
            .unwrap();
        let from = usize::from(slot) / 5_462;
        let to = (from + 1) % 3;
        let id = |at: usize| -> String {
            redis::cmd("CLUSTER").arg("MYID").query(&mut engines[at].aside()).unwrap()
        };
        let set = |at: usize, how: &str, whose: usize| {
            let mut command = redis::cmd("CLUSTER");
            command.arg("SETSLOT").arg(slot).arg(how).arg(id(whose));
            let _: () = command.query(&mut engines[at].aside()).unwrap();
        };
        set(to, "IMPORTING", from);
        set(from, "MIGRATING", to);
        let mut migrate = redis::cmd("MIGRATE");
        migrate.arg("127.0.0.1").arg(engines[to].port).arg("lumoauth:sessions:7").arg(0).arg(5_000);
        let _: String = migrate.query(&mut engines[from].aside()).unwrap();
        // ASK
        assert_eq!(store.load(&keys[7], WITHIN).unwrap().unwrap().version(), versions[7]);
        let second = store.save_if(&keys[7], Some(versions[7]), b"2", None, WITHIN).unwrap().unwrap();
        set(to, "NODE", to);
        set(from, "NODE", to);
        // MOVED
        let third = store.save_if(&keys[7], Some(second), b"3", None, WITHIN).unwrap().unwrap();
        assert_eq!(store.load(&keys[7], WITHIN).unwrap().unwrap().version(), third);
        // A store for one server says what is wrong.
        let one = RedisStore::server(engines[from].url()).unwrap().unsealed().unwrap();
        let error = one.load(&keys[7], WITHIN).unwrap_err();
        assert!(error.to_string().contains("cluster"), "{error}");
    });
}
