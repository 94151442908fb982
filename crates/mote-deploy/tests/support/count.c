/* A plugin of QEMU that counts the instructions executed from `roi_begin` to `roi_end`.
 *
 * Arguments: begin=ADDRESS, end=ADDRESS. Writes one number to standard error. Debian ships no header
 * for plugins, so what is used of version 1 of the interface is declared here; its documentation is
 * https://www.qemu.org/docs/master/devel/tcg-plugins.html.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;

extern void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
                                                  void (*translated)(uint64_t,
                                                                     struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
                                                   void (*executed)(unsigned, void *), int flags,
                                                   void *user);
extern void qemu_plugin_register_atexit_cb(uint64_t id, void (*exits)(uint64_t, void *),
                                           void *user);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block,
                                                        size_t index);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

int qemu_plugin_version = 1;

static uint64_t begin, end, count;
static int inside;

static void executed(unsigned cpu, void *address) {
    (void)cpu;
    const uint64_t at = (uint64_t)(uintptr_t)address;
    if (at == begin) {
        inside = 1;
    }
    if (at == end) {
        inside = 0;
    }
    count += (uint64_t)inside;
}

static void translated(uint64_t id, struct qemu_plugin_tb *block) {
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, i);
        void *address = (void *)(uintptr_t)qemu_plugin_insn_vaddr(insn);
        qemu_plugin_register_vcpu_insn_exec_cb(insn, executed, 0, address);
    }
}

static void exits(uint64_t id, void *user) {
    (void)id;
    (void)user;
    fprintf(stderr, "instructions %" PRIu64 "\n", count);
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "begin=", 6) == 0) {
            begin = strtoull(argv[i] + 6, NULL, 16);
        } else if (strncmp(argv[i], "end=", 4) == 0) {
            end = strtoull(argv[i] + 4, NULL, 16);
        }
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, exits, NULL);
    return 0;
}
