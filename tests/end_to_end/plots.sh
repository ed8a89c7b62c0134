#!/bin/sh
# `muonscope plot` for a paper: widths, formats, fonts, tables; runs that have little to show.
. "$(dirname "$0")/support.sh"

must micro --steps 4 --tracker.enabled true --tracker.every 1 --run r
must program plot r --width 85mm --no-title --format png --format svg --format pdf --only spectral_gap --only norm_heatmap
grep -q '^r/plots/spectral_gap.png, .svg, .pdf$' out || fail "no word of the formats"
for name in spectral_gap norm_heatmap; do
    grep -q 'width="85.00mm" height="' "r/plots/$name.svg" || fail "$name.svg is not 85 mm wide"
    grep -q 'font-family="sans-serif"' "r/plots/$name.svg" || fail "$name.svg has a font that browsers do not know"
    # Each snapshot and matrix has a row: steps 0 to 4, 6 projections of each layer.
    layers=$(awk -F, 'NR > 1 { print $2 }' "r/plots/$name.csv" | sort -u | wc -l)
    [ "$(wc -l <"r/plots/$name.csv")" -eq $((1 + 5 * 6 * layers)) ] || fail "$name.csv has other rows"
    # What the first line of the script says draws the same picture again.
    redraw=$(sed -n 's/^# Redraw: //p' "r/plots/$name.gp")
    mv "r/plots/$name.png" first.png
    (cd r/plots && sh -c "$redraw") || fail "$name.gp does not draw itself"
    cmp first.png "r/plots/$name.png" || fail "$name.gp draws something else"
    # All fonts of the PDF are in it, and its width is 85 mm, 240.9 points.
    if command -v pdffonts >/dev/null; then
        pdffonts "r/plots/$name.pdf" >fonts
        [ "$(wc -l <fonts)" -gt 2 ] || fail "no font in $name.pdf"
        ! tail -n +3 fonts | grep -v ' yes yes yes ' || fail "a font of $name.pdf is not embedded"
        pdfinfo "r/plots/$name.pdf" | grep -q '^Page size: *241' || fail "$name.pdf is not 85 mm wide"
    fi
done
grep -q 'multiplot layout' r/plots/spectral_gap.gp || fail "no script"
! grep -q 'Spectral gap' r/plots/spectral_gap.gp || fail "--no-title has a title"
must program plot r --width 3.3in --only loss --format svg
grep -q 'width="83.82mm"' r/plots/loss.svg || fail "3.3 in are not 83.82 mm"
must program plot r --width 8.5cm --only spectral_gap --format svg --projections q,v --layers 0
grep -q 'width="85.00mm"' r/plots/spectral_gap.svg || fail "8.5 cm are not 85 mm"

refuse 2 "width 49mm: must be 50mm to 400mm" program plot r --width 49mm
refuse 2 "width 16in: must be 50mm to 400mm" program plot r --width 16in
refuse 2 "width nanmm: must be" program plot r --width nanmm
for width in 85 mm 85px 85mmm ""; do
    refuse 2 "width: '$width' is no length, such as 85mm" program plot r --width "$width"
done
refuse 1 "the run has no projection 'w'; it has" program plot r --projections q,w
refuse 2 "'x' is no layer" program plot r --layers x

# Several runs in one picture.
must micro --steps 4 --seed 7 --tracker.enabled true --tracker.every 1 --run "o_{r}'s"
must program plot r --runs "o_{r}'s" --format png
grep -q '^r/plots/runs_loss.png$' out || fail "no word of the picture of two runs"
for name in loss spectral_gap spectral_norm_vs_depth momentum_alignment; do
    [ -s "r/plots/runs_$name.png" ] || fail "no $name of two runs"
    grep -q "title 'o_{r}''s'" "r/plots/runs_$name.gp" || fail "no name of a run in $name"
done
[ ! -e r/plots/runs_norm_heatmap.png ] || fail "a heat map of two runs"
refuse 1 "plot norm_heatmap: it shows one run" program plot r --runs "o_{r}'s" --only norm_heatmap
refuse 2 "phases: marks are those of one run" program plot r --runs "o_{r}'s" --phases
must micro --steps 2 --model.layers 3 --tracker.enabled true --tracker.every 1 --run deep
refuse 1 "runs: r has .* layers, deep has 3: choose with --layers" program plot r --runs deep --only spectral_gap
must program plot r --runs deep --only loss --format png
refuse 1 "runs: nobody: run folder nobody does not exist" program plot r --runs nobody

# One snapshot; no line yet; a line that is cut.
must micro --steps 1 --tracker.enabled true --tracker.every 10 --run one
head -n "$(grep -c '"step":0,' one/spectra.jsonl)" one/spectra.jsonl >lines && cp lines one/spectra.jsonl
must program plot one --format png --width 50mm
for name in spectral_gap entropy_mri norm_heatmap singular_spectrum spectral_norm_vs_depth; do
    [ -s one/plots/$name.png ] || fail "no $name of one snapshot"
done
mkdir empty
: >empty/metrics.jsonl
refuse 1 "empty/metrics.jsonl has no complete line yet" program plot empty
printf '{"step":1,"tok' >empty/metrics.jsonl
refuse 1 "empty/metrics.jsonl has no complete line yet" program plot empty
