/* Exported C as the harness calls it. */
#include "model.h"

int firmware_self_test(void);
void firmware_run(void);

int firmware_self_test(void) {
    return model_self_test();
}

void firmware_run(void) {
    model_run();
}
