#include "mayfly/cli/app.h"

int main(int argc, char** argv) { return mayfly::run_app({argv + 1, argv + argc}); }
