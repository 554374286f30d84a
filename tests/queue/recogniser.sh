#!/bin/sh
# recogniser.sh FILE OUTPUT: FILE (any audio) by pocketsphinx, English, as OUTPUT.json: a segment per utterance. A
# queue.command of the embedded queue.
set -eu
ffmpeg -nostdin -loglevel error -y -i "$1" -ar 16000 -ac 1 "$2.wav"
# A line of words for each utterance, then one with time for each of them: word, start, end (s), probability.
pocketsphinx_continuous -infile "$2.wav" -time yes -logfn /dev/null | awk '
    function flush() { if (words != "") { printf "%s{\"start\":%s,\"end\":%s,\"text\":\"%s\"}", comma, from, to, words; comma = "," } words = "" }
    BEGIN { printf "[" }
    NF == 4 && $4 ~ /^[0-9.]+$/ {
        if ($1 ~ /^[<\[]/) next
        sub(/\([0-9]+\)$/, "", $1)
        if (words == "") from = $2
        words = words (words == "" ? "" : " ") $1
        to = $3
        next
    }
    { flush() }
    END { flush(); printf "]" }' > "$2.json"
