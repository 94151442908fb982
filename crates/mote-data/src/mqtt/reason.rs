//! The words for a broker's reasons.

use mqtt_protocol_core::mqtt::packet::Property;
use mqtt_protocol_core::mqtt::result_code::ConnectReturnCode;

/// The code with which a broker says that another client has our client id (MQTT 5, section 3.14).
pub(super) const SESSION_TAKEN_OVER: u8 = 0x8e;

/// Why a broker did not let us in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Who we are is the reason.
    Login(String),
    /// What we ask for is the reason, and will be next time.
    Lasting(String),
    /// The broker's own state is the reason, which may pass.
    Passing(String),
}

/// What a return code of MQTT 3.1.1 says (section 3.2.2.3); `None` is a welcome.
pub(super) fn of_return_code(code: ConnectReturnCode) -> Option<Refusal> {
    use ConnectReturnCode::*;
    let version = "it does not speak MQTT 3.1.1; `version=5` may help";
    Some(match code {
        Accepted => return None,
        UnacceptableProtocolVersion => Refusal::Lasting(version.to_owned()),
        IdentifierRejected => Refusal::Login("the client id is not allowed".to_owned()),
        ServerUnavailable => Refusal::Passing("the server is unavailable".to_owned()),
        BadUserNameOrPassword => Refusal::Login("bad user name or password".to_owned()),
        NotAuthorized => Refusal::Login("not authorized".to_owned()),
    })
}

/// What a reason code of MQTT 5 says (section 3.2.2.2) in a `CONNACK`; `None` is a welcome.
pub(super) fn of_connect_code(code: u8, reason: String) -> Option<Refusal> {
    Some(match code {
        0..0x80 => return None,
        0x84 => Refusal::Lasting("it does not speak MQTT 5; `version=3` may help".to_owned()),
        0x85..=0x87 | 0x8a | 0x8c => Refusal::Login(reason),
        0x80 | 0x83 | 0x88 | 0x89 | 0x97 | 0x9f => Refusal::Passing(reason),
        _ => Refusal::Lasting(reason),
    })
}

/// The words for a reason code of MQTT 5 (section 2.4), and those that the broker adds.
pub(super) fn with_text(code: u8, properties: &[Property]) -> String {
    let text = properties.iter().find_map(|property| match property {
        Property::ReasonString(text) => Some(text.val()),
        _ => None,
    });
    match text {
        Some(text) => format!("{} ({text})", words(code)),
        None => words(code).to_owned(),
    }
}

fn words(code: u8) -> &'static str {
    match code {
        0x00 => "a normal end",
        0x80 => "no reason given",
        0x81 => "malformed packet",
        0x82 => "protocol error",
        0x83 => "a reason of its own",
        0x84 => "unsupported protocol version",
        0x85 => "the client id is not allowed",
        0x86 => "bad user name or password",
        0x87 => "not authorized",
        0x88 => "the server is unavailable",
        0x89 => "the server is busy",
        0x8a => "the client is banned",
        0x8b => "the server is shutting down",
        0x8c => "bad authentication method",
        0x8d => "no sign of life within the keep-alive time",
        0x8e => "another client took the session over",
        0x8f => "the topic filter is not allowed",
        0x90 => "the topic is not allowed",
        0x91 => "the packet id is in use",
        0x93 => "more messages in flight than allowed",
        0x94 => "invalid topic alias",
        0x95 => "packet too large",
        0x96 => "too many messages in a short time",
        0x97 => "a quota is used up",
        0x98 => "an administrator's action",
        0x99 => "invalid payload format",
        0x9a => "retained messages are not supported",
        0x9b => "the QoS is not supported",
        0x9c => "another server should be used",
        0x9d => "the server has moved",
        0x9e => "shared subscriptions are not supported",
        0x9f => "too many connections in a short time",
        0xa0 => "the longest time of a connection is over",
        0xa1 => "subscription identifiers are not supported",
        0xa2 => "wildcards in subscriptions are not supported",
        _ => "a reason unknown to MQTT 5",
    }
}
