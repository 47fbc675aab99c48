//! The collector that traces are exported to: whether it can be reached and takes them, with the headers that it will get.

use super::Finding;
use crate::work::otlp::{Settings, probe};

pub(super) fn look(settings: &Settings) -> Finding {
    let url = &settings.url;
    let bad = |is: String, mend: &str| Finding::bad("traces", format!("{url} {is}"), mend);
    // The mistake that is made most: the port for gRPC.
    let other_port = "use the collector's port for HTTP, 4318 as a rule: 4317 is for gRPC";
    let is_grpc = url.port_u16() == Some(4317);
    match probe(settings) {
        Ok(200..=299) => Finding::good("traces", format!("{url} takes them{}", if settings.content { ", with messages" } else { "" })),
        Ok(status @ (401 | 403)) => {
            bad(format!("refuses the headers ({status})"), "give it the right key with --otlp-headers-file or OTEL_EXPORTER_OTLP_HEADERS")
        }
        Ok(status @ (404 | 405)) => bad(
            format!("is no place for traces ({status})"),
            if is_grpc { other_port } else { "correct --otlp-endpoint: it ends where /v1/traces begins" },
        ),
        Ok(status @ (400 | 415)) => bad(format!("doesn't take protobuf over HTTP ({status})"), "switch on OTLP over HTTP at the collector"),
        Ok(status @ (429 | 502 | 503 | 504)) => {
            bad(format!("takes none for now ({status})"), "look at the collector's log; try again later")
        }
        Ok(status) => bad(format!("answers with {status}"), "look at the collector's log"),
        Err(why) => bad(
            format!("can't be reached ({why}): traces are lost"),
            if is_grpc { other_port } else { "start the collector, or say where it is with --otlp-endpoint" },
        ),
    }
}
