// For a test program without a main() of its own: out of a library, the linker takes this one.
#include <doctest/doctest.h>

int main(int argc, char** argv) { return doctest::Context(argc, argv).run(); }
