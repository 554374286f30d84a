// A process that dies at a chosen moment: this program's own fsync, fdatasync, unlink, unlinkat, rename and renameat2
// count their calls, those of the libraries it uses (SQLite) included, and the n-th one ends the process in place of,
// or right after, the call. Between two of these nothing durable happens.
#pragma once

namespace lestapenna::test {

/// In a forked child: dies at the n-th call from now on, n from 1. Even n: before it is made, odd: after it.
void die_at(int call);
/// How many calls there were since.
int calls_so_far();

}  // namespace lestapenna::test
