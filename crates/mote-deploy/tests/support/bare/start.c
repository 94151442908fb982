/* Starts firmware on a Cortex-M under QEMU: tests itself, runs once between two marks, says how much
   stack that took, and ends through semihosting with status 0 or the number of what failed. */
#include <stdint.h>

int firmware_self_test(void);
void firmware_run(void);

extern uint32_t harness_stack_top[], harness_stack_end[];
extern uint32_t harness_data[], harness_data_end[], harness_data_source[];
extern uint32_t harness_bss[], harness_bss_end[];

static int harness_call(int operation, const void *argument) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void harness_print(const char *text) {
    harness_call(0x04, text);
}

__attribute__((noreturn)) static void harness_exit(int status) {
    const uint32_t block[2] = {0x20026, (uint32_t)status};
    harness_call(0x20, block);
    for (;;) {
    }
}

static void harness_number(uint32_t n) {
    char text[12];
    int at = 11;
    text[at] = 0;
    do {
        text[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    harness_print(text + at);
}

void __attribute__((noinline, used)) roi_begin(void) {
    __asm__ volatile("");
}

void __attribute__((noinline, used)) roi_end(void) {
    __asm__ volatile("");
}

/* Bytes of stack below this function that a run uses. */
static uint32_t __attribute__((noinline)) harness_measure(void) {
    uint32_t *low = harness_stack_end, *here = __builtin_frame_address(0);
    uint32_t *const high = here - 16;
    for (uint32_t *word = low; word < high; word++) {
        *(volatile uint32_t *)word = 0xA5A5A5A5u;
    }
    roi_begin();
    firmware_run();
    roi_end();
    while (low < high && *(volatile uint32_t *)low == 0xA5A5A5A5u) {
        low++;
    }
    return (uint32_t)(here - low) * 4;
}

void __attribute__((noreturn, used)) harness_start(void) {
    /* Floating point, vectors, and loops without branches are off after reset. */
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20;
#if __ARM_FEATURE_MVE
    *(volatile uint32_t *)0xE000ED14u |= 1u << 19;
#endif
    __asm__ volatile("dsb\n isb");
    const uint32_t *from = harness_data_source;
    for (uint32_t *to = harness_data; to < harness_data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *to = harness_bss; to < harness_bss_end;) {
        *to++ = 0;
    }
    const int failed = firmware_self_test();
    const uint32_t stack = harness_measure();
    harness_print("stack ");
    harness_number(stack);
    harness_print("\n");
    harness_exit(failed);
}

static void harness_fault(void) {
    harness_print("fault\n");
    harness_exit(99);
}

__attribute__((section(".vectors"), used)) const void *const harness_vectors[16] = {
    harness_stack_top, harness_start, harness_fault, harness_fault,
    harness_fault,     harness_fault, harness_fault,
};
