#!/usr/bin/env bash
# Reports in headless Chromium: no error in its console, every picture drawn, nothing asked for elsewhere. Screenshots go to the folder that
# is named, to be looked at.
#     tests/outside/report.sh STRAIT [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/../.."
strait=$(realpath "$1")
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
shots=$(realpath -m "${2:-$work/shots}")
mkdir -p "$shots"
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
    echo "no Chromium was found: install Debian's package chromium" >&2
    exit 1
}
cd "$work"

"$strait" train "$root/examples/jobs/vae.toml" --data "$root/data/mnist" --limit 3000 --epochs 3 --out digits --device cpu >/dev/null
awk 'BEGIN { srand(1); print "temperature,pressure,speed,state"; for (i = 0; i < 600; i++) {
    a = rand(); b = rand(); print 20 + 3 * a "," 1000 + 10 * b "," 50 + a - b "," (a > b ? "on" : "off") } }' >own.csv
"$strait" train --kind autoencoder --data own.csv --labels state --out table --epochs 5 --device cpu >/dev/null
"$strait" report digits table --out both.html >/dev/null

failed=0
# What the page looks like to a script: errors, pictures that are not drawn, and maps that are empty.
cat >look.js <<'JS'
window.addEventListener("load", () => {
    const undrawn = [...document.images].filter((image) => !image.complete || image.naturalWidth === 0).length;
    const empty = [...document.querySelectorAll(".map > canvas")].filter((canvas) => {
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return !data.some((x) => x !== 0);
    }).length;
    const map = document.querySelector(".map > canvas");
    if (map) {
        const box = map.getBoundingClientRect();
        map.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 }));
    }
    const told = document.querySelector(".map .row")?.textContent ?? "";
    const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
    console.log(`looked: ${document.images.length} images, ${undrawn} undrawn, ${empty} empty maps, row "${told.slice(0, 12)}", too wide: ${wide}`);
});
JS
flags=(--headless --no-sandbox --disable-gpu --hide-scrollbars --enable-logging=stderr --v=0 --virtual-time-budget=4000)
for page in digits/report.html table/report.html both.html; do
    if grep -Eo '(src|href)="http' "$page"; then
        echo "$page asks for something elsewhere" >&2
        failed=1
    fi
    sed "s#</body>#<script>$(tr '\n' ' ' <look.js | sed 's/[&#\\]/\\&/g')</script></body>#" "$page" >looked.html
    name=$(echo "$page" | tr '/' '-' | sed 's/.html//')
    for shape in 1280,1600:desktop 390,1400:phone; do
        size=${shape%%:*}
        log=$("$browser" "${flags[@]}" --window-size="$size" --screenshot="$shots/$name-${shape##*:}.png" "file://$work/looked.html" 2>&1)
        console=$(echo "$log" | grep -E 'CONSOLE' || true)
        echo "$page ${shape##*:}: $(echo "$console" | grep -o 'looked: [^"]*"[^"]*"[^"]*' | head -1)"
        if ! echo "$console" | grep -q ' 0 undrawn, 0 empty maps, row "row '; then
            echo "$page: $console" >&2
            failed=1
        fi
        if [ "$(echo "$console" | grep -vc 'looked:')" != 0 ]; then
            echo "$page has messages in its console: $console" >&2
            failed=1
        fi
    done
    "$browser" "${flags[@]}" --force-dark-mode --blink-settings=preferredColorScheme=0 --window-size=1280,1600 \
        --screenshot="$shots/$name-dark.png" "file://$work/looked.html" >/dev/null 2>&1
done
exit $failed
