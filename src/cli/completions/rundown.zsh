#compdef rundown
# Completions of rundown for zsh, printed by `rundown completions zsh`.
_rundown() {
    local -a lines
    lines=("${(@f)$(command rundown completions zsh --complete $((CURRENT - 1)) \
        -- "${(@Q)words[1,CURRENT]}" 2>/dev/null)}")
    local kind=$lines[1]
    shift lines
    (( $#lines )) && _describe -V 'rundown' lines
    [[ $PREFIX == --*=* ]] && compset -P '*='
    case $kind in
        files) _files ;;
        directories) _files -/ ;;
        commands) _command_names -e ;;
    esac
}
if [[ $funcstack[1] == _rundown ]]; then
    _rundown "$@"
else
    (( $+functions[compdef] )) && compdef _rundown rundown
fi
