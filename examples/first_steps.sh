#!/bin/sh
# The main job, from the shell: a document is created, counted up and popped from, each by a process of
# its own. Without RAPYER_URL it runs on the embedded server, which keeps the values in between.
set -eu
cd "$(dirname "$0")/.."
export RAPYER_MODELS="$PWD/examples/blog.py"

post=$(rapyer new BlogPost title='Hello, Redis' tags:='["redis", "json", "draft"]' -o raw)
echo "created   $post"
echo "views     $(rapyer increase "$post/views" 5)"
echo "popped    $(rapyer apop "$post/tags")"
echo "tags      $(rapyer get "$post/tags")"
echo "views     $(rapyer get "$post/views")"
