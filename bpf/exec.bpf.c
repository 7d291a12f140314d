// SPDX-License-Identifier: GPL-2.0-only
/*
 * The exec programs: one entry point a variant, named exec_ATTACH_TRANSPORT_ACCESS
 * (sensor/variant.c lists what each needs). An entry point only takes its hook's
 * arguments apart; the body is in exec.h.
 */
#include "exec.h"

char LICENSE[] SEC("license") = "GPL";

/* TP_PROTO(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm) */
SEC("raw_tracepoint/sched_process_exec")
int exec_raw_tp_ringbuf_core(struct bpf_raw_tracepoint_args *ctx)
{
	struct run run = {.access = ACCESS_CORE};

	return exec_event(ACCESS_CORE, TRANSPORT_RINGBUF,
			  FOLLOW(&run, (void *)ctx->args[2], linux_binprm, filename));
}

/* __data_loc: the low half is the string's offset from the start of the context. */
SEC("tracepoint/sched/sched_process_exec")
int exec_tp_ringbuf_core(struct trace_event_raw_sched_process_exec *ctx)
{
	return exec_event(ACCESS_CORE, TRANSPORT_RINGBUF,
			  (char *)ctx + (ctx->__data_loc_filename & 0xffff));
}
