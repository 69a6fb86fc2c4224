//! Configuration files: every error has a place in the file, and a valid file is printed as one
//! with the same meaning.

use std::path::Path;

use rundown::cli::Config;
use rundown::error::Error;

/// Reads the input as a configuration file.
pub fn config(data: &[u8]) {
    let path = Path::new("c.toml");
    match Config::checked(path, data) {
        Ok(config) => {
            let printed = config.to_toml();
            let again = Config::checked(path, printed.as_bytes()).unwrap();
            assert_eq!(again.to_toml(), printed);
            assert_eq!(in_order(again), in_order(config), "{printed}");
        }
        Err(Error::Config(faults)) => {
            let lines = faults.lines().map(|fault| super::line_of(fault, "c.toml"));
            let lines: Vec<usize> = lines.collect();
            assert!(!lines.is_empty() && lines.is_sorted(), "{faults}");
            assert!(lines.iter().all(|line| (1..=super::count_lines(data)).contains(line)));
        }
        Err(other) => panic!("{other:?}"),
    }
}

/// Returns the same with its roles sorted by name, because they are printed in the order of the
/// theme.
fn in_order(mut config: Config) -> Config {
    config.settings.look.roles.sort_by_key(|(role, _)| *role);
    config
}
