//! Where traces are exported to: our own settings, else the variables that OpenTelemetry defines for every program.

use super::{Arguments, ConfigError};
use crate::text_file;
use crate::work::openai::Key;
use crate::work::otlp::Settings;
use percent_encoding::percent_decode_str;
use std::path::Path;
use std::time::Duration;
use ureq::http::{HeaderName, HeaderValue, Uri};

const PATH: &str = "/v1/traces";
const FILE_BYTES_MAX: u64 = 16 << 10;
/// What the standard has where nothing is said.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The settings of the export; nothing where no endpoint is named, or the export is switched off.
///
/// # Errors
/// Whatever is there and can't be meant so.
pub(super) fn settings(arguments: &Arguments, environment: impl Fn(&str) -> Option<String>) -> Result<Option<Settings>, ConfigError> {
    let given = |name: &str| environment(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    // What is said of traces alone goes before what is said of every signal.
    let of_traces = |what: &str| {
        let names = [format!("OTEL_EXPORTER_OTLP_TRACES_{what}"), format!("OTEL_EXPORTER_OTLP_{what}")];
        names.into_iter().find_map(|name| given(&name).map(|value| (name, value)))
    };
    let is_off = given("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
        || given("OTEL_TRACES_EXPORTER").is_some_and(|value| value == "none");
    let stated = arguments.otlp_endpoint.clone().map(|url| ("--otlp-endpoint".to_owned(), url));
    let Some((name, url)) = stated.or_else(|| of_traces("ENDPOINT")).filter(|_| !is_off) else {
        return Ok(None);
    };
    if let Some((name, protocol)) = of_traces("PROTOCOL").filter(|(_, protocol)| protocol != "http/protobuf") {
        let why = format!("`{protocol}` is not supported: set it to http/protobuf, and the endpoint to the collector's port for that");
        return Err(ConfigError::Otlp { name, why });
    }
    let is_whole = name.ends_with("_TRACES_ENDPOINT") || url.ends_with(PATH);
    let whole = if is_whole { url.clone() } else { format!("{}{PATH}", url.trim_end_matches('/')) };
    let url = address(&whole).ok_or_else(|| {
        let shown = super::without_password(&url);
        ConfigError::Otlp {
            name,
            why: format!("`{shown}` is no address of a collector: write one such as http://127.0.0.1:4318, without user, ? and #"),
        }
    })?;
    let headers = match &arguments.otlp_headers_file {
        Some(path) => read(path)?,
        None => match of_traces("HEADERS") {
            Some((name, stated)) => headers(&stated).map_err(|why| ConfigError::Otlp { name, why })?,
            None => Vec::new(),
        },
    };
    let timeout = match of_traces("TIMEOUT") {
        None => TIMEOUT,
        Some((name, stated)) => match stated.parse() {
            Ok(ms @ 1..=600_000) => Duration::from_millis(ms),
            _ => return Err(ConfigError::Otlp { name, why: format!("`{stated}` is no time: write milliseconds, 1 to 600000") }),
        },
    };
    let resource = resource(given("OTEL_RESOURCE_ATTRIBUTES").as_deref(), given("OTEL_SERVICE_NAME"))?;
    Ok(Some(Settings { url, headers, timeout, resource, content: arguments.otlp_content }))
}

fn address(text: &str) -> Option<Uri> {
    let url: Uri = text.parse().ok()?;
    let is_http = matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|host| !host.is_empty());
    let is_plain = url.query().is_none() && !text.contains('#') && url.authority().is_some_and(|host| !host.as_str().contains('@'));
    (is_http && is_plain).then_some(url)
}

/// Pairs `name=value`, with commas between; values may be percent-encoded.
fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let pair = |stated: &str| {
        let (name, value) = stated.split_once('=').ok_or("write NAME=VALUE, with commas between pairs")?;
        let value = percent_decode_str(value.trim()).decode_utf8().map_err(|_| "a value is not UTF-8")?;
        Ok((name.trim().to_owned(), value.into_owned()))
    };
    text.split(',').filter(|stated| !stated.trim().is_empty()).map(pair).collect()
}

/// Headers; what is wrong is said without their values, which may be keys.
fn headers(text: &str) -> Result<Vec<(String, Key)>, String> {
    let all = pairs(text)?;
    for (name, value) in &all {
        if name.parse::<HeaderName>().is_err() || HeaderValue::from_str(value).is_err() {
            return Err(format!("the header `{}` has a name or a value that none may have", crate::contract::clip(name, 80)));
        }
    }
    Ok(all.into_iter().map(|(name, value)| (name, Key(value))).collect())
}

/// The same from a file, a pair a line.
fn read(path: &Path) -> Result<Vec<(String, Key)>, ConfigError> {
    let wrong = |why: String| ConfigError::Otlp { name: format!("--otlp-headers-file {}", path.display()), why };
    let text = text_file::read(path, FILE_BYTES_MAX).map_err(|error| wrong(error.to_string()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    headers(&lines.collect::<Vec<_>>().join(",")).map_err(wrong)
}

/// What every span says of this server.
fn resource(stated: Option<&str>, service: Option<String>) -> Result<Vec<(String, String)>, ConfigError> {
    let wrong = |why: String| ConfigError::Otlp { name: "OTEL_RESOURCE_ATTRIBUTES".to_owned(), why };
    let mut all = stated.map_or(Ok(Vec::new()), pairs).map_err(wrong)?;
    if let Some(service) = service {
        all.retain(|(name, _)| name != "service.name");
        all.push(("service.name".to_owned(), service));
    }
    for (name, value) in [("service.name", "framewright"), ("service.version", env!("CARGO_PKG_VERSION"))] {
        if !all.iter().any(|(known, _)| known == name) {
            all.push((name.to_owned(), value.to_owned()));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, variables: &[(&str, &str)]) -> Result<Option<Settings>, String> {
        let environment = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        settings(&Arguments::of(line).unwrap(), environment).map_err(|error| error.to_string())
    }

    #[test]
    fn the_endpoint_is_ours_or_the_one_that_opentelemetry_names() {
        let (all, traces) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        for (line, variables, url) in [
            ("", &[][..], None),
            ("--otlp-endpoint http://c:4318", &[], Some("http://c:4318/v1/traces")),
            ("--otlp-endpoint http://c:4318/", &[(all, "http://other")], Some("http://c:4318/v1/traces")),
            ("--otlp-endpoint https://c/otlp/v1/traces", &[], Some("https://c/otlp/v1/traces")),
            ("", &[(all, "http://c:4318/otlp")], Some("http://c:4318/otlp/v1/traces")),
            ("", &[(all, "http://c:4318"), (traces, "http://t/in")], Some("http://t/in")),
            ("", &[(all, " ")], None),
            ("", &[(all, "http://c:4318"), ("OTEL_SDK_DISABLED", "true")], None),
            ("--otlp-endpoint http://c", &[("OTEL_TRACES_EXPORTER", "none")], None),
        ] {
            let read = read(line, variables).unwrap();
            assert_eq!(read.map(|settings| settings.url.to_string()).as_deref(), url, "{line} {variables:?}");
        }
    }

    #[test]
    fn headers_resource_and_timeout_come_from_the_environment() {
        let settings = read(
            "--otlp-endpoint http://c --otlp-content",
            &[
                ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20YTpi, x-scope = 7"),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
                ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=prod,service.name=other"),
                ("OTEL_SERVICE_NAME", "chat"),
            ],
        );
        let settings = settings.unwrap().unwrap();
        let pair = |(name, value): &(String, String)| format!("{name}={value}");
        let headers: Vec<_> = settings.headers.iter().map(|(name, Key(value))| format!("{name}={value}")).collect();
        assert_eq!(headers, ["authorization=Basic YTpi", "x-scope=7"]);
        assert!(!format!("{settings:?}").contains("YTpi"));
        let version = concat!("service.version=", env!("CARGO_PKG_VERSION"));
        let resource = settings.resource.iter().map(pair).collect::<Vec<_>>();
        assert_eq!(resource, ["deployment.environment.name=prod", "service.name=chat", version]);
        assert_eq!((settings.timeout, settings.content), (Duration::from_millis(2500), true));
        let plain = read("--otlp-endpoint http://c", &[]).unwrap().unwrap();
        assert_eq!((plain.resource[0].1.as_str(), plain.content, plain.timeout), ("framewright", false, TIMEOUT));
    }

    #[test]
    fn what_is_wrong_is_refused_without_showing_a_secret() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c");
        for (line, variables, says) in [
            ("--otlp-endpoint c:4318", &[][..], "--otlp-endpoint: `c:4318` is no address of a collector: write one"),
            ("--otlp-endpoint http://u:s3cret@c", &[], "--otlp-endpoint: `http://•••@c` is no"),
            ("", &[("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://c")], "OTEL_EXPORTER_OTLP_ENDPOINT: `ftp://c` is no"),
            ("", &[endpoint, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], "OTEL_EXPORTER_OTLP_PROTOCOL: `grpc` is not supported"),
            ("", &[endpoint, ("OTEL_EXPORTER_OTLP_HEADERS", "s3cret")], "OTEL_EXPORTER_OTLP_HEADERS: write NAME=VALUE"),
            ("", &[endpoint, ("OTEL_EXPORTER_OTLP_HEADERS", "a b=s3cret")], "OTEL_EXPORTER_OTLP_HEADERS: the header `a b`"),
            ("", &[endpoint, ("OTEL_EXPORTER_OTLP_HEADERS", "a=s3cret%0A")], "OTEL_EXPORTER_OTLP_HEADERS: the header `a`"),
            ("", &[endpoint, ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s")], "OTEL_EXPORTER_OTLP_TIMEOUT: `10s` is no time"),
            ("--otlp-endpoint http://c --otlp-headers-file /nowhere/h", &[], "--otlp-headers-file /nowhere/h"),
        ] {
            let said = read(line, variables).map(drop).unwrap_err();
            assert!(said.starts_with(says) && !said.contains("s3cret"), "{line} {variables:?}: {said}");
        }
    }
}
