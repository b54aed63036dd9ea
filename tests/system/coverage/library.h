#pragma once

/// In a shared library with counters of its own.
int half_of(int number);
