//! What an event of the connection says. Pure: text → value.

use chaoscope_model::Pod;
use chaoscope_model::declared::DeclaredPod;
use jiff::Timestamp;
use serde::Deserialize;

/// What was said.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// Whom we are connected with; everything is told anew now.
    Hello(Hello),
    /// Everything declared for one pod, in place of what was told of it before.
    Pod(Box<DeclaredPod>),
    /// Something about this pod that is not understood.
    Unclear(String),
    /// Nothing is declared for this pod any more.
    Gone(String),
    /// Names of pods, for nodes without a runtime to ask.
    Names(Vec<Pod>),
    /// That was everything.
    Ready,
    /// What a later release may bring.
    Other,
}

/// The first event.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Hello {
    /// Number of the connection.
    pub(super) connection: String,
    /// The cluster role's clock.
    pub(super) at: Timestamp,
}

#[derive(Deserialize)]
struct Gone {
    uid: String,
}

#[derive(Deserialize)]
struct Names {
    pods: Vec<Pod>,
}

/// The least that must be understood of a pod.
#[derive(Deserialize)]
struct Which {
    pod: Uid,
}

#[derive(Deserialize)]
struct Uid {
    uid: String,
}

/// Reads one event.
pub(super) fn parse(event: &str, data: &str) -> Result<Said, serde_json::Error> {
    Ok(match event {
        "hello" => Said::Hello(serde_json::from_str(data)?),
        "pod" => match serde_json::from_str(data) {
            Ok(pod) => Said::Pod(Box::new(pod)),
            // Whose it is counts: what was told of that pod before does not hold any more.
            Err(error) => Said::Unclear(serde_json::from_str::<Which>(data).map_err(|_| error)?.pod.uid),
        },
        "gone" => Said::Gone(serde_json::from_str::<Gone>(data)?.uid),
        "names" => Said::Names(serde_json::from_str::<Names>(data)?.pods),
        "ready" => Said::Ready,
        _ => Said::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pod_that_is_not_understood_is_still_that_pod() {
        let said = parse("pod", r#"{"pod":{"namespace":"a","name":"b","uid":"u"},"targets":[{"expects":{"type":"from_tomorrow"}}]}"#);
        assert_eq!(said.unwrap(), Said::Unclear("u".into()));
        assert!(parse("pod", r#"{"pod":{}}"#).is_err() && parse("pod", "").is_err() && parse("gone", "{}").is_err());
        assert_eq!(parse("tomorrow", "?").unwrap(), Said::Other);
        assert_eq!(parse("ready", "").unwrap(), Said::Ready);
    }

    proptest! {
        #[test]
        fn any_text_gives_a_value_or_an_error(event in "(hello|pod|gone|names|ready|x)", data in ".{0,80}") {
            let _ = parse(&event, &data);
        }
    }
}
