#pragma once

namespace mayfly {

/// What `mayfly` exits with. `mayfly run` and `mayfly shell` pass on the command's own code (128 + n when signal n
/// ended it); a signal that ends mayfly itself gives 128 + n too.
enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,  ///< the thing under test failed: a manifest, a check, idempotence
  kExitUsage = 2,   ///< a wrong command line or profile
  kExitError = 3,   ///< Mayfly or the host: no privileges, no such image, disk full
};

}  // namespace mayfly
