// The program: everything it can do is in cli/.
#include "cli/cli.h"

int main(int argc, char** argv) {
    return lestapenna::cli::run(argc, argv);
}
