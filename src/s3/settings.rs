//! The settings of a client: options of the user, and variables of the environment.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};
use std::time::Duration;

/// The options of a client. The defaults suit AWS.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address of a server other than AWS, such as `http://localhost:9000`. Without it,
    /// `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` and the profile apply.
    pub endpoint: Option<String>,
    /// The region. Without it, `AWS_REGION`, `AWS_DEFAULT_REGION` and the profile apply, and then
    /// `us-east-1`.
    pub region: Option<String>,
    /// True to put the bucket into the path also for AWS. Otherwise it is there if the server is
    /// another one, or if the name of the bucket cannot be a part of a host.
    pub path_style: bool,
    /// The time for a request and its repetitions. Large bodies may take longer.
    pub timeout: Duration,
    /// The environment.
    pub variables: Variables,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: None,
            path_style: false,
            timeout: Duration::from_secs(30),
            variables: Variables::default(),
        }
    }
}

/// A copy of the environment, without empty variables. Its `Debug` output has no values, because
/// some are secret.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Copies the environment of this process. Variables that are not UTF-8 are left out.
    #[must_use]
    pub fn of_process() -> Self {
        let texts = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        std::env::vars_os().filter_map(texts).collect()
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(entries: I) -> Self {
        Self(entries.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }
}

impl Debug for Variables {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variables").finish_non_exhaustive()
    }
}
