#pragma once

#include "mayfly/support/error.h"

namespace mayfly {

/// A command line that can't be meant; the text names what to write instead.
class UsageError : public Error {
  using Error::Error;
};

}  // namespace mayfly
