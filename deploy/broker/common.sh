# Shared by the scripts beside it: where downloads live, what must be installed, which ports are free.
# shellcheck shell=bash

here="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck disable=SC2034  # read by fetch
cache="${NOTSPOT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/notspot}"

fail() {
    printf '%s: %s\n' "$(basename -- "$0")" "$*" >&2
    exit 1
}

# Prints the value of a property of pom.xml, the one place where versions are pinned.
pinned() {
    sed -n "s:.*<$1>\(.*\)</$1>.*:\1:p" "$here/pom.xml"
}

# Takes the further tools that are needed, if any.
# shellcheck disable=SC2120  # none is a fine number of them
require_java_and() {
    local tool missing=()
    for tool in java "$@"; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    ((${#missing[@]} == 0)) && return
    fail "missing on this machine: ${missing[*]}. The test broker is Apache Kafka from its Maven artifacts" \
        "and needs Java 17 or newer and Maven (Debian: apt-get install openjdk-17-jre-headless maven);" \
        "to use a broker of your own instead, set NOTSPOT_TEST_BROKERS=HOST:PORT for the tests" \
        "or pass --brokers HOST:PORT to notspot"
}

# Fails unless VALUE, given with FLAG, is a whole number from 1 to LIMIT; empty is the default.
check_number() {
    local flag=$1 value=$2 limit=$3
    [[ -z $value ]] && return
    [[ $value =~ ^[1-9][0-9]{0,5}$ ]] && ((value <= limit)) ||
        fail "$flag $value: expected a whole number from 1 to $limit"
}

port_is_taken() {
    (exec 4<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Prints a free port. Below 32768, where outgoing connections of a stock Linux start: a client that
# retries a port above could be given that very port as its own and connect to itself.
free_port() {
    local port
    for _ in {1..50}; do
        port=$((20000 + RANDOM % 12000))
        port_is_taken "$port" || {
            echo "$port"
            return
        }
    done
    fail "found no free port between 20000 and 32000 on 127.0.0.1"
}

# Waits until PORT answers, SECONDS at most; fails at once when process PID is gone.
wait_for_port() {
    local port=$1 pid=$2 seconds=$3 what=$4 log=$5
    for ((i = 0; i < seconds * 5; i++)); do
        port_is_taken "$port" && return
        if ! kill -0 "$pid" 2>/dev/null; then
            tail -n 20 "$log" >&2
            fail "$what stopped while starting; its log is $log"
        fi
        sleep 0.2
    done
    tail -n 20 "$log" >&2
    fail "$what did not answer on 127.0.0.1:$port within $seconds s; its log is $log"
}

# Ends process PID in an orderly way once standard input closes: whoever started us is gone.
watch_stdin() {
    trap - EXIT
    while IFS= read -r _; do :; done
    kill -TERM "$1" 2>/dev/null
}

# A reader that polls for FILE never sees half of it.
write_whole() {
    local file=$1
    shift
    printf '%s\n' "$@" >"$file.part"
    mv "$file.part" "$file"
}

# Reads the options every service has into port, data, remove_data and stop_with_stdin, and fills in
# what was not given; the caller defines usage.
service_options() {
    port='' data='' remove_data='' stop_with_stdin=''
    while (($#)); do
        case "$1" in
        --port) port="${2:?--port needs a number}" && shift 2 ;;
        --data) data="${2:?--data needs a folder}" && shift 2 ;;
        --remove-data) remove_data=yes && shift ;;
        --stop-with-stdin) stop_with_stdin=yes && shift ;;
        --help | -h) usage && exit ;;
        *) fail "unknown argument $1; see --help" ;;
        esac
    done
    check_number --port "$port" 65535
    # shellcheck disable=SC2119  # nothing further is needed
    require_java_and
    port="${port:-$(free_port)}"
    port_is_taken "$port" && fail "port $port on 127.0.0.1 is taken; choose another with --port"
    if [[ -z $data ]]; then
        data="$(mktemp -d)"
        remove_data=yes
    fi
}

# Runs a service that listens on port until it is stopped: NAME, WHAT it is, its URL, its COMMAND.
serve() {
    local name=$1 what=$2 url=$3 log="$data/$1.log"
    service_name=$name service_pid='' watcher_pid=''
    trap 'stop_service $?' EXIT
    trap 'stop_service 0' INT TERM
    mkdir -p "$data"
    "${@:4}" </dev/null >"$log" 2>&1 &
    service_pid=$!
    if [[ -n $stop_with_stdin ]]; then
        watch_stdin $$ <&0 &
        watcher_pid=$!
    fi
    wait_for_port "$port" "$service_pid" 90 "$what" "$log"
    write_whole "$data/$name" "$url"
    echo "$name: $url"
    wait "$service_pid" || fail "$what stopped by itself; its log is $log"
}

stop_service() {
    trap - EXIT INT TERM
    set +e
    [[ -n $watcher_pid ]] && kill "$watcher_pid" 2>/dev/null
    if [[ -n $service_pid ]]; then
        # What is to outlive it is in its files, so there is nothing to wait for.
        kill -9 "$service_pid" 2>/dev/null
        wait "$service_pid" 2>/dev/null
    fi
    rm -f "${data:?}/$service_name"
    # A service that failed leaves its log for whoever looks into it.
    [[ -n $remove_data && $1 == 0 ]] && rm -rf "$data"
    exit "$1"
}
