# Completions of rundown for fish, printed by `rundown completions fish`.
function __rundown_complete
    set -l words (commandline --current-process --tokenize --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    set -l lines (command rundown completions fish --complete (count $words) \
        -- $words "$current" 2>/dev/null)
    for line in $lines[2..-1]
        printf '%s\n' $line
    end
    # A path may be the value of an option in the same word.
    set -l option (string match --regex -- '^--[^=]*=' "$current")
    set -l path (string replace --regex -- '^--[^=]*=' '' "$current")
    switch "$lines[1]"
        case files
            __fish_complete_path "$path" | string replace --regex -- '^' "$option"
        case directories
            __fish_complete_directories "$path" | string replace --regex -- '^' "$option"
        case commands
            __fish_complete_command
    end
end
complete --command rundown --no-files --keep-order --arguments '(__rundown_complete)'
