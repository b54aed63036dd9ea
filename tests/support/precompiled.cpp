// Carries the precompiled headers that all tests share, see mayfly_add_test().
