//! A profile in the files of the AWS tools: keys, a program, or a role.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::chain::Context;
use super::{Credentials, Result, ini, process, web_identity};
use crate::file;
use crate::s3::Variables;
use crate::sanitize;

/// The size of a file that is accepted.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The values of a profile.
pub(in crate::s3) struct Profile {
    name: String,
    values: BTreeMap<String, String>,
}

impl Profile {
    /// Reads the selected profile; `None` if there is no default profile.
    ///
    /// # Errors
    /// If a file cannot be read, or if `AWS_PROFILE` names a profile that does not exist.
    pub fn load(variables: &Variables) -> Result<Option<Self>> {
        let name = variables.get("AWS_PROFILE").unwrap_or("default");
        let section = if name == "default" { name.to_owned() } else { format!("profile {name}") };
        let config = Self::section(variables, "AWS_CONFIG_FILE", "config", &section)?;
        let variable = "AWS_SHARED_CREDENTIALS_FILE";
        let credentials = Self::section(variables, variable, "credentials", name)?;
        if config.is_none() && credentials.is_none() {
            return match variables.get("AWS_PROFILE") {
                Some(name) => Err(format!(
                    "there is no profile `{}` in ~/.aws/config or ~/.aws/credentials\n\
                     check AWS_PROFILE, AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE",
                    sanitize::name(name)
                )),
                None => Ok(None),
            };
        }
        // Those of the file for credentials replace those of the other one.
        let values = config.into_iter().chain(credentials).flatten().collect();
        Ok(Some(Self { name: name.to_owned(), values }))
    }

    fn section(
        variables: &Variables,
        variable: &str,
        file_name: &str,
        section: &str,
    ) -> Result<Option<BTreeMap<String, String>>> {
        let of_home = |home| Path::new(home).join(".aws").join(file_name);
        let named = variables.get(variable).map(PathBuf::from);
        let Some(path) = named.or_else(|| variables.get("HOME").map(of_home)) else {
            return Ok(None);
        };
        Ok(read(&path)?.and_then(|text| ini::section(&text, section)))
    }

    /// Returns a value that is not empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// Returns the credentials of the selected profile; `None` if it has none.
pub(super) fn load(context: &Context) -> Result<Option<Credentials>> {
    let Some(profile) = Profile::load(&context.variables)? else { return Ok(None) };
    let shown = shown(&context.variables);
    if let (Some(id), Some(secret)) =
        (profile.get("aws_access_key_id"), profile.get("aws_secret_access_key"))
    {
        let token = profile.get("aws_session_token").map(str::to_owned);
        return Ok(Some(Credentials::new(&shown, id, secret).with_token(token)));
    }
    if let Some(command) = profile.get("credential_process") {
        return process::load(command, &shown).map(Some);
    }
    match (profile.get("role_arn"), profile.get("web_identity_token_file")) {
        (Some(role), Some(file)) => {
            let session = profile.get("role_session_name");
            web_identity::assume(context, &shown, role, Path::new(file), session).map(Some)
        }
        (Some(_), None) => Err(unsupported(&profile.name, "role_arn without a web identity")),
        _ if profile.values.keys().any(|key| key.starts_with("sso_")) => {
            Err(unsupported(&profile.name, "single sign-on"))
        }
        _ => Ok(None),
    }
}

/// Describes the selected profile for messages.
pub(super) fn shown(variables: &Variables) -> String {
    format!("the profile `{}`", sanitize::name(variables.get("AWS_PROFILE").unwrap_or("default")))
}

/// Describes a method that only the AWS tools implement, and the way to use it.
fn unsupported(profile: &str, method: &str) -> String {
    let profile = sanitize::name(profile);
    format!(
        "the profile `{profile}` uses {method}, which is not supported\n\
         make a profile with credential_process = aws configure export-credentials --profile \
         {profile}"
    )
}

/// Reads a file; `None` if it does not exist.
fn read(path: &Path) -> Result<Option<String>> {
    let text = file::open_regular(path).and_then(|file| {
        let mut text = String::new();
        file.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
        Ok(text)
    });
    match text {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}
