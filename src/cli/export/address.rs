//! The address of a server for OTLP over HTTP.

use crate::dump::Signal;
use crate::error::{Error, Result};

/// An address that begins with `http://` or `https://`.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Address {
    /// The address without its query, and without slashes at its end.
    base: String,
    /// The query with its `?`, or nothing.
    query: String,
}

impl Address {
    /// Parses an address; `None` if it is not that of a server. An address with credentials is
    /// rejected, because other users can read the arguments of a process.
    pub fn parse(text: &str) -> Option<Result<Self>> {
        let (scheme, rest) = text.split_once("://")?;
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return None;
        }
        let (rest, query) = rest.find('?').map_or((rest, ""), |at| rest.split_at(at));
        let host = rest.split('/').next().unwrap_or_default();
        if host.contains('@') {
            let why = "--to must not contain credentials, which other users could read\n\
                       put them into OTEL_EXPORTER_OTLP_HEADERS, such as authorization=Basic%20…";
            return Some(Err(Error::Usage(why.into())));
        }
        if host.is_empty() {
            let why = "--to has no host: use an address such as http://localhost:4318";
            return Some(Err(Error::Usage(why.into())));
        }
        let base = format!("{}://{}", scheme.to_ascii_lowercase(), rest.trim_end_matches('/'));
        Some(Ok(Self { base, query: query.to_owned() }))
    }

    /// Returns the address of each signal. One that ends with the path of a signal is used as it
    /// is, and only for this signal.
    pub fn of(&self, signals: &[Signal]) -> Result<Vec<(Signal, Endpoint)>> {
        let path = |signal: Signal| format!("/v1/{signal}");
        let Some(own) = Signal::ALL.into_iter().find(|signal| self.base.ends_with(&path(*signal)))
        else {
            let endpoint =
                |signal| (signal, self.endpoint(format!("{}{}", self.base, path(signal))));
            return Ok(signals.iter().map(|signal| endpoint(*signal)).collect());
        };
        if signals != [own] {
            let why = format!(
                "the address in --to takes only {own}: add --signals {own}, or remove {}",
                path(own)
            );
            return Err(Error::Usage(why));
        }
        Ok(vec![(own, self.endpoint(self.base.clone()))])
    }

    fn endpoint(&self, shown: String) -> Endpoint {
        Endpoint { url: format!("{shown}{}", self.query), shown }
    }
}

/// The address for a signal.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Endpoint {
    pub url: String,
    /// The address for messages: without the query, which may contain a key.
    pub shown: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(text: &str, signals: &[Signal]) -> Vec<String> {
        let address = Address::parse(text).unwrap().unwrap();
        address.of(signals).unwrap().into_iter().map(|(_, endpoint)| endpoint.url).collect()
    }

    #[test]
    fn the_path_of_a_signal_is_appended() {
        let traces = [Signal::Traces];
        for (text, url) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("HTTPS://a.example/otlp/", "https://a.example/otlp/v1/traces"),
            ("http://a/v1/traces", "http://a/v1/traces"),
            ("http://a/x?key=1", "http://a/x/v1/traces?key=1"),
        ] {
            assert_eq!(urls(text, &traces), [url]);
        }
        let all = urls("http://a", &Signal::ALL);
        assert_eq!(all, ["http://a/v1/traces", "http://a/v1/logs", "http://a/v1/metrics"]);
    }

    #[test]
    fn the_query_is_not_shown() {
        let address = Address::parse("http://a/?key=secret").unwrap().unwrap();
        assert_eq!(address.of(&[Signal::Logs]).unwrap()[0].1.shown, "http://a/v1/logs");
    }

    #[test]
    fn paths_are_no_addresses_and_bad_addresses_are_rejected() {
        for text in ["out.jsonl", "/tmp/http", "ftp://a", ""] {
            assert!(Address::parse(text).is_none(), "{text}");
        }
        for text in ["http://user:pass@a", "http://", "https:///v1/traces"] {
            assert!(Address::parse(text).unwrap().is_err(), "{text}");
        }
        let address = Address::parse("http://a/v1/logs").unwrap().unwrap();
        assert!(address.of(&Signal::ALL).is_err() && address.of(&[Signal::Traces]).is_err());
    }
}
