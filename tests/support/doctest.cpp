// doctest itself, built once for all test programs: it takes longer than most tests do.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
