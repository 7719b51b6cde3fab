# Sourced by up, test, bench and lock: finds Python, makes .venv, installs the lock file and the system's libraries.
# Everything is done once: a second call sees that nothing changed and returns at once.
# shellcheck shell=bash
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
log=$venv/setup.log
apt=allowed

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

say() { printf '%s\n' "$*"; }

find_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$(command -v "$candidate")
            return
        fi
    done
    fail "Pressroom needs Python 3.11 or newer, and none is on the PATH: install one (Debian, Ubuntu: apt-get install python3 python3-venv)."
}

# Run a noisy command with its output in the log; when it fails, show the end of that, and what to do.
quietly() {
    local advice=$1
    shift
    "$@" >>"$log" 2>&1 </dev/null && return
    tail -n 15 "$log" | sed 's/^/  | /' >&2
    fail "$advice (All of the output is in $log)"
}

# Set-up of one folder is done by one script at a time; a lock on the folder itself leaves no file behind.
take_turn() {
    exec 9<"$root"
    flock --nonblock 9 && return
    say "Waiting until another script has set up $root …"
    flock 9
}

# -- System packages ---------------------------------------------------------------------------------------------------

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_install() {
    [ "$apt" = allowed ] && command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

install_packages() {
    local -a install=(env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=300 "$@")
    if compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null && as_root "${install[@]}" >>"$log" 2>&1 </dev/null; then
        return
    fi
    # No package lists, or lists so old that what they name is gone.
    as_root apt-get update >>"$log" 2>&1 </dev/null && as_root "${install[@]}" >>"$log" 2>&1 </dev/null
}

# Print the Debian packages of what is missing. A library counts when it can be loaded, wherever it came from.
missing_packages() {
    "$venv/bin/python" - "$1" <<'END'
import ctypes, os, shutil, sys

packages = {
    "libpango-1.0.so.0": "libpango-1.0-0",
    "libpangoft2-1.0.so.0": "libpangoft2-1.0-0",
    "libharfbuzz-subset.so.0": "libharfbuzz-subset0",
}
for library, package in packages.items():
    try:
        ctypes.CDLL(library)
    except OSError:
        print(package)
programs = {"pdftoppm": "poppler-utils"}
if sys.argv[1] == "test":
    # The README's session is pasted into a shell, bar codes are read from rendered pages, clients written for jsreport
    # and for OData run on Node, what is printed goes through a CUPS server, and pages are opened in a browser.
    programs |= {"curl": "curl", "zbarimg": "zbar-tools", "node": "nodejs", "npm": "npm"}
    programs |= {"/usr/lib/cups/backend/socket": "cups", "lpadmin": "cups-client", "chromium": "chromium"}
if sys.argv[1] == "jsreport":
    programs |= {"npm": "npm", "chromium": "chromium"}
for program, package in programs.items():
    # Debian keeps administrators' programs where users' shells do not look.
    if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin"):
        print(package)
folders = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")
names = [name for folder in folders for _, _, files in os.walk(os.path.expanduser(folder)) for name in files]
# Liberation is as wide as Arial, Times and Courier, which most documents are made for. Without DejaVu, fontconfig has
# nothing it knows for "serif" and "sans-serif", and takes a typewriter's letters.
for font, package in {"LiberationSans-": "fonts-liberation", "DejaVuSerif": "fonts-dejavu-core"}.items():
    if not any(name.startswith(font) for name in names):
        print(package)
END
}

set_up_system() {
    local -a missing
    mapfile -t missing < <(missing_packages "$1")
    [ ${#missing[@]} = 0 ] && return
    if may_install; then
        say "Installing system packages: ${missing[*]} …"
        install_packages "${missing[@]}" || true
        mapfile -t missing < <(missing_packages "$1")
        [ ${#missing[@]} = 0 ] && return
    fi
    missing_note="System packages are missing, so that not everything works: apt-get install --no-install-recommends ${missing[*]}"
    say "$missing_note" >&2
}

# -- The Python environment --------------------------------------------------------------------------------------------

make_environment() {
    if command -v uv >/dev/null; then
        quietly "uv could not make $venv." uv venv --allow-existing --python "$python" "$venv"
        return
    fi
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        # Debian and Ubuntu ship this part of Python as a package of its own.
        local package
        package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        may_install || fail "Python cannot make virtual environments here; what is missing: apt-get install $package"
        say "Installing system packages: $package …"
        install_packages "$package" || fail "Python cannot make virtual environments here, and apt-get could not install $package; see $log"
    fi
    quietly "Python could not make $venv." "$python" -m venv "$venv"
}

install_lock() {
    local lock=$1 advice="Python packages could not be installed: is the package index reachable? Run the same command again when it is."
    if command -v uv >/dev/null; then
        local -a install=(uv pip install --python "$venv/bin/python")
        quietly "$advice" "${install[@]}" --compile-bytecode --require-hashes -r "$lock"
    else
        local -a install=("$venv/bin/python" -m pip install --disable-pip-version-check --no-input)
        "$venv/bin/python" -m pip --version >/dev/null 2>&1 || quietly "$advice" "$venv/bin/python" -m ensurepip
        quietly "$advice" "${install[@]}" --require-hashes -r "$lock"
    fi
    # The build backend came with the lock file, so that nothing unpinned is fetched to build in isolation.
    quietly "The project itself could not be installed." "${install[@]}" --no-deps --no-build-isolation --editable "$root"
}

# The stamp says for which folder and Python the environment was made, from which files, and for what. What tests need
# comes on top of what the farm needs, so that up and test never undo each other's work.
set_up_python() {
    local purpose=$1 identity digest stamp=$venv/pressroom-setup
    identity="$root $("$python" -c 'import sys; print(sys.version.split()[0], sys.base_prefix)')"
    digest=$(cd "$root" && cat pyproject.toml requirements.lock requirements-test.lock | sha256sum | cut -d' ' -f1)
    local -a stamped=()
    [ -f "$stamp" ] && mapfile -t stamped <"$stamp"
    [ "${stamped[2]:-}" = test ] && purpose=test
    if [ "${stamped[*]}" = "$identity $digest $purpose" ]; then
        return
    fi
    # Another folder, another Python, or a set-up that was cut short: nothing in it can be trusted.
    [ "${stamped[0]:-}" = "$identity" ] || rm -rf "$venv"
    mkdir -p "$venv" 2>/dev/null || fail "$root cannot be written, and the Python environment goes there: change its permissions, or use a copy."
    rm -f "$stamp" "$log"
    say "Setting up the Python environment …"
    [ -x "$venv/bin/python" ] || make_environment
    case $purpose in
        farm) install_lock "$root/requirements.lock" ;;
        test) install_lock "$root/requirements-test.lock" ;;
    esac
    printf '%s\n' "$identity" "$digest" "$purpose" >"$stamp"
}

# set_up farm|test [farm|test|jsreport]: leave .venv ready, and missing_note set when a system package could not be had.
# The second says whose system packages, if they are not those of the first.
set_up() {
    missing_note=
    find_python
    take_turn
    set_up_python "$1"
    set_up_system "${2:-$1}"
    exec 9<&-
}
