//! Credentials in variables.

use super::chain::Context;
use super::{Credentials, Result};

/// Returns the credentials in the environment; `None` without an access key.
///
/// # Errors
/// If only one half of the key is set.
pub(super) fn load(context: &Context) -> Result<Option<Credentials>> {
    let variables = &context.variables;
    let (id, secret) = (variables.get("AWS_ACCESS_KEY_ID"), variables.get("AWS_SECRET_ACCESS_KEY"));
    match (id, secret) {
        (Some(id), Some(secret)) => {
            let token = variables.get("AWS_SESSION_TOKEN").map(str::to_owned);
            Ok(Some(Credentials::new("the environment", id, secret).with_token(token)))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err("AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY".into()),
        (None, Some(_)) => Err("AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID".into()),
    }
}
