//! The path of a source file, as a CI system needs it: relative to the root of the repository.
//! Pure: no file is looked up, because a log may name any file.

/// Returns the path of a source file relative to the root of the repository; `None` if it is
/// outside or unknown. `path` is the path that the log contains, `cwd` the directory of the
/// command, and `workspace` the root of the repository, if a CI system names it. Otherwise, the
/// command is taken to have run in the root.
pub(super) fn in_repository(
    path: &str,
    cwd: Option<&str>,
    workspace: Option<&str>,
) -> Option<String> {
    let path = path.replace('\\', "/");
    let cwd = cwd.filter(|cwd| cwd.starts_with('/')).map(|cwd| components("", cwd));
    let workspace = workspace.map(|workspace| components("", workspace));
    // A workspace of another machine, such as the host of a container, does not apply.
    let applies = |root: &Vec<String>| cwd.as_ref().is_none_or(|cwd| cwd.starts_with(root));
    let root = workspace.filter(applies).or_else(|| cwd.clone());
    let relative = if path.starts_with('/') {
        let absolute = components("", &path);
        absolute.strip_prefix(root?.as_slice())?.to_vec()
    } else {
        let below = cwd.as_deref().and_then(|cwd| cwd.strip_prefix(root?.as_slice()));
        let below = below.unwrap_or_default().join("/");
        // Cargo, for example, names paths relative to the root, wherever it runs.
        let is_of_root = !below.is_empty() && path.starts_with(&format!("{below}/"));
        components(if is_of_root { "" } else { &below }, &path)
    };
    let is_inside = !relative.is_empty() && !relative.iter().any(|part| part == "..");
    is_inside.then(|| relative.join("/"))
}

/// Returns the components of a path in a directory. `..` remains only at the start.
fn components(dir: &str, path: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in dir.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| last != "..") => drop(parts.pop()),
            part => parts.push(part.to_owned()),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_root_of_the_repository() {
        for (path, cwd, workspace, expected) in [
            ("src/a.c", None, None, Some("src/a.c")),
            ("./src//b/../a.c", None, None, Some("src/a.c")),
            ("src\\a.ts", None, None, Some("src/a.ts")),
            ("src/a.c", Some("/w/repo"), None, Some("src/a.c")),
            ("/w/repo/src/a.c", Some("/w/repo"), None, Some("src/a.c")),
            ("/usr/include/a.h", Some("/w/repo"), None, None),
            ("/usr/include/a.h", None, None, None),
            ("../a.c", Some("/w/repo"), None, None),
            ("src/a.c", Some("/w/repo/sub"), Some("/w/repo"), Some("sub/src/a.c")),
            ("../a.c", Some("/w/repo/sub"), Some("/w/repo/"), Some("a.c")),
            ("../../a.c", Some("/w/repo/sub"), Some("/w/repo"), None),
            ("sub/src/a.rs", Some("/w/repo/sub"), Some("/w/repo"), Some("sub/src/a.rs")),
            ("/w/repo/sub/a.c", Some("/w/repo/sub"), Some("/w/repo"), Some("sub/a.c")),
            ("/w/repo-2/a.c", Some("/w/repo"), Some("/w/repo"), None),
            ("/w/repo/a.c", None, Some("/w/repo"), Some("a.c")),
            ("/build/src/a.c", Some("/build"), Some("/w/repo"), Some("src/a.c")),
            ("/w/repo", Some("/w/repo"), None, None),
        ] {
            let found = in_repository(path, cwd, workspace);
            assert_eq!(found.as_deref(), expected, "{path} {cwd:?} {workspace:?}");
        }
    }
}
