//! Where a broker is and who we are to it, read from one address.

use std::fmt;

use super::error::{Error, Result};
use super::topic;

/// The versions of MQTT that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// MQTT 3.1.1, protocol level 4.
    V3_1_1,
    /// MQTT 5, protocol level 5: says why it refuses, and limits what is in flight.
    V5,
}

/// The guarantees of delivery that are spoken. "Exactly once" is not: it costs a second round trip,
/// and a consumer that may be restarted has to bear repetition anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Qos {
    /// Sent once and forgotten (QoS 0).
    AtMostOnce,
    /// Sent until it is acknowledged, so it may arrive more than once (QoS 1).
    AtLeastOnce,
}

/// Text or bytes that no error, log or debug output shows.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret<T>(pub(super) T);

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`***`")
    }
}

/// A client certificate, as PEM.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) chain: Vec<u8>,
    pub(super) key: Vec<u8>,
}

/// Where a broker is, and who we are to it.
///
/// The address has the form
/// `mqtt://[user[:password]@]host[:port][/topic][?client_id=…&version=…&qos=…]`; `mqtts` means TLS.
/// Ports default to 1883 and 8883. In the topic, `+` and `#` stand for themselves, and only `?` and
/// `%` must be written as `%3F` and `%25`. `version` is `5` (the default: its refusals have reasons)
/// or `3` (3.1.1), `qos` is `1` (the default: nothing is lost) or `0`.
///
/// ```
/// use mote_data::mqtt::Broker;
///
/// let broker = Broker::parse("mqtts://ann:secret@broker.lan/plant/+/temp?client_id=cell-7")?;
/// assert_eq!(broker.to_string(), "mqtts://ann@broker.lan:8883/plant/+/temp");
/// assert_eq!(broker.topic(), Some("plant/+/temp"));
/// # Ok::<(), mote_data::mqtt::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret<String>>,
    pub(super) topic: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) version: Version,
    pub(super) qos: Qos,
    pub(super) authorities: Option<Secret<Vec<u8>>>,
    pub(super) identity: Option<Secret<Identity>>,
}

impl Broker {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// [`Error::Address`] says which part is unusable, without showing the password.
    pub fn parse(address: &str) -> Result<Self> {
        let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        // The last `@`, because a person who does not encode the one in the password means this.
        let (login, endpoint) = match authority.rsplit_once('@') {
            Some((login, endpoint)) => (Some(login), endpoint),
            None => (None, authority),
        };
        let user = login.map(|login| login.split(':').next().unwrap_or(login));
        let shown = match user {
            // An `@` behind the place: perhaps a `/` or `?` of the password has cut it in two.
            None if rest.contains('@') => format!("{scheme}://***"),
            Some(user) => format!("{scheme}://{user}@{endpoint}"),
            None => format!("{scheme}://{endpoint}"),
        };
        let hidden = shown.ends_with("***");
        let bad = |wanted, found: &str| Error::Address {
            address: shown.clone(),
            wanted,
            found: if hidden { "something else".to_owned() } else { quoted(found) },
        };

        let tls = match scheme {
            "mqtt" => false,
            "mqtts" => true,
            _ => return Err(bad("the scheme `mqtt://` or `mqtts://`", scheme)),
        };
        let (host, port) = endpoint_of(endpoint).ok_or_else(|| {
            bad("a host and perhaps a port between 1 and 65535, like `broker.lan:1883`", endpoint)
        })?;
        let password = match login.and_then(|login| login.split_once(':')) {
            Some((_, password)) => {
                let bad = |_, _: &str| {
                    bad("valid %-encoding of UTF-8 in the password", "another sequence")
                };
                Some(Secret(decode(password, &bad)?))
            }
            None => None,
        };
        let topic = match path {
            "" => None,
            path => Some(topic::filter(decode(path, &bad)?)?),
        };
        let mut broker = Self {
            host: host.to_owned(),
            port: port.unwrap_or(if tls { 8883 } else { 1883 }),
            tls,
            user: user.map(|user| decode(user, &bad)).transpose()?,
            password,
            topic,
            client_id: None,
            version: Version::V5,
            qos: Qos::AtLeastOnce,
            authorities: None,
            identity: None,
        };
        broker.apply(query, &bad)?;
        Ok(broker)
    }

    /// Takes in what stands behind the `?` of an address.
    fn apply(&mut self, query: &str, bad: &dyn Fn(&'static str, &str) -> Error) -> Result<()> {
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("client_id", "") => return Err(bad("a client id behind `client_id=`", "")),
                ("client_id", id) => self.client_id = Some(decode(id, bad)?),
                ("version", "5") => self.version = Version::V5,
                ("version", "3" | "3.1.1" | "4") => self.version = Version::V3_1_1,
                ("version", other) => return Err(bad("`version=5` or `version=3`", other)),
                ("qos", "1") => self.qos = Qos::AtLeastOnce,
                ("qos", "0") => self.qos = Qos::AtMostOnce,
                ("qos", other) => return Err(bad("`qos=0` or `qos=1`", other)),
                (key, _) => return Err(bad("one of `client_id`, `version` and `qos`", key)),
            }
        }
        Ok(())
    }

    /// Trusts the authorities in `pem` (one or more certificates in PEM) instead of none.
    ///
    /// There are no authorities by default, because finding the machine's own means reading files
    /// and the environment, which is the caller's business: on Debian they lie in
    /// `/etc/ssl/certs/ca-certificates.crt`.
    #[must_use]
    pub fn with_authorities(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities = Some(Secret(pem.into()));
        self
    }

    /// Shows the broker a client certificate: its chain and its private key, both in PEM.
    #[must_use]
    pub fn with_identity(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.identity = Some(Secret(Identity { chain: chain.into(), key: key.into() }));
        self
    }

    /// Uses another client id, for example one that the caller derived from the machine's name.
    #[must_use]
    pub fn with_client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Uses this user name and password, for example from a file that the address need not show.
    #[must_use]
    pub fn with_login(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self.password = Some(Secret(password.into()));
        self
    }

    /// The host's name or IP address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The topic or topic filter in the address.
    #[must_use]
    pub fn topic(&self) -> Option<&str> {
        self.topic.as_deref()
    }

    /// The client id in the address.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// The version of MQTT.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The guarantee of delivery that is asked for.
    #[must_use]
    pub fn qos(&self) -> Qos {
        self.qos
    }

    /// Who logs in, in the words of an error message.
    pub(super) fn login(&self) -> String {
        match (&self.user, &self.client_id) {
            (Some(user), _) => format!("user `{user}`"),
            (None, Some(id)) => format!("client `{id}` without a user name"),
            (None, None) => "a client without a user name".to_owned(),
        }
    }
}

/// The address without password and query, to be shown to people.
impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "mqtts://" } else { "mqtt://" })?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port)?,
            false => write!(f, "{}:{}", self.host, self.port)?,
        }
        match &self.topic {
            Some(topic) => write!(f, "/{topic}"),
            None => Ok(()),
        }
    }
}

/// Splits `host`, `host:port`, `[v6]` or `[v6]:port`; `None` where it is none of these.
fn endpoint_of(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
    if host.is_empty() || !host.chars().all(legal) {
        return None;
    }
    let port = port.map(|port| port.parse().ok().filter(|&port| port != 0));
    match port {
        Some(None) => None,
        Some(port) => Some((host, port)),
        None => Some((host, None)),
    }
}

/// Replaces `%41` by `A` and so on.
fn decode(text: &str, bad: &dyn Fn(&'static str, &str) -> Error) -> Result<String> {
    decoded(text).ok_or_else(|| bad("valid %-encoding of UTF-8", text))
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn quoted(found: &str) -> String {
    match found {
        "" => "nothing".to_owned(),
        found => format!("`{found}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, wanted: &str) {
        match Broker::parse(address) {
            Ok(b) => {
                let (user, id) = (b.user.as_deref(), b.client_id.as_deref());
                let password = b.password.as_ref().map(|secret| secret.0.as_str());
                let rest = (user, password, id, b.version, b.qos);
                assert_eq!(format!("{b} {rest:?}"), wanted, "{address}");
            }
            Err(error) => assert_eq!(error.to_string(), wanted, "{address}"),
        }
    }

    #[test]
    fn reads_what_people_write() {
        check("mqtt://h", "mqtt://h:1883 (None, None, None, V5, AtLeastOnce)");
        check("mqtts://h", "mqtts://h:8883 (None, None, None, V5, AtLeastOnce)");
        check("mqtt://[::1]:7/a/#", "mqtt://[::1]:7/a/# (None, None, None, V5, AtLeastOnce)");
        check(
            "mqtt://u%40x:p%3aw@h:9/a%20b/+?client_id=c-1&version=3&qos=0",
            "mqtt://u@x@h:9/a b/+ (Some(\"u@x\"), Some(\"p:w\"), Some(\"c-1\"), V3_1_1, AtMostOnce)",
        );
        check(
            "mqtt://u:p@ss:w@h?version=3.1.1&qos=1&",
            "mqtt://u@h:1883 (Some(\"u\"), Some(\"p@ss:w\"), None, V3_1_1, AtLeastOnce)",
        );
    }

    #[test]
    fn says_what_was_wanted_and_found() {
        let start = "is not usable: wanted";
        let pair = "one of `client_id`, `version` and `qos`";
        let place = "a host and perhaps a port between 1 and 65535, like `broker.lan:1883`";
        let scheme = "the scheme `mqtt://` or `mqtts://`";
        for (address, shown, wanted, found) in [
            ("", "://", scheme, "nothing"),
            ("http://h", "http://h", scheme, "`http`"),
            ("mqtt://", "mqtt://", place, "nothing"),
            ("mqtt://h:0", "mqtt://h:0", place, "`h:0`"),
            ("mqtt://h:65536", "mqtt://h:65536", place, "`h:65536`"),
            ("mqtt://[::1", "mqtt://[::1", place, "`[::1`"),
            ("mqtt://[x]", "mqtt://[x]", place, "`[x]`"),
            ("mqtt://::1", "mqtt://::1", place, "`::1`"),
            ("mqtt://h/%4", "mqtt://h", "valid %-encoding of UTF-8", "`%4`"),
            ("mqtt://h/%ff", "mqtt://h", "valid %-encoding of UTF-8", "`%ff`"),
            ("mqtt://h?qos=2", "mqtt://h", "`qos=0` or `qos=1`", "`2`"),
            ("mqtt://h?version=6", "mqtt://h", "`version=5` or `version=3`", "`6`"),
            ("mqtt://h?client_id", "mqtt://h", "a client id behind `client_id=`", "nothing"),
            ("mqtt://u:p@h?qoss=1", "mqtt://u@h", pair, "`qoss`"),
        ] {
            let wanted = format!("the broker address `{shown}` {start} {wanted}, found {found}");
            check(address, &wanted);
        }
    }

    #[test]
    fn never_shows_a_password() {
        let secret = "hunter2";
        for address in [
            "mqtt://u:hunter2@h",
            "ftp://u:hunter2@h",
            "mqtt://u:hunter2@h:x",
            "mqtt://u:hunter2%zz@h",
            "mqtt://u:hunter2@h?x",
            "mqtt://u:hunter2/x@h",
            "mqtt://u:hunter2?x@h",
        ] {
            let shown = match Broker::parse(address) {
                Ok(broker) => format!("{broker} {broker:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(!shown.contains(secret), "{shown}");
        }
        let broker = Broker::parse("mqtt://h").unwrap();
        let broker = broker.with_identity(b"chain".to_vec(), secret).with_login("u", secret);
        assert!(!format!("{broker:?}").contains(secret));
        assert!(!format!("{broker:?}").contains(&format!("{:?}", secret.as_bytes())));
    }
}
