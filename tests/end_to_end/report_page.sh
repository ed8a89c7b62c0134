#!/bin/sh
# The page of `muonscope report` in headless Chromium: a run's and a study's.  Usage: report_page.sh PROGRAM [SCREENSHOTS]
# SCREENSHOTS: a folder for pictures of the pages.
here=$(cd "$(dirname "$0")" && pwd)
screenshots=${2:+$(realpath "$2")}
. "$here/support.sh"
chromium=$(command -v chromium) || fail "Debian's chromium is needed (ci/setup.sh)"
must program train --preset micro --numerics exact --steps 60 --tracker.enabled true --tracker.every 5 --validation.every 20 --run run
must program report run
grep -q 'run/report.html (0.[0-9]* MB)' out || fail "the size is not said"
mkdir study
for seed in 1 2; do
    must program train --preset micro --numerics exact --steps 20 --tracker.enabled true --tracker.every 5 --validation.every 10 --train.seed $seed --run study/a-$seed
done
cp "$here/report_study.json" study/results.json
echo 'name: s' >study/study.yaml
must program report study --out study.html
/usr/bin/python3 "$here/report_page.py" "$chromium" "$screenshots" || fail "report_page"
