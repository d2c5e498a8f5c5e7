// SPDX-License-Identifier: GPL-2.0-only
/*
 * The only program of the initramfs.  It starts a small virtual machine through
 * /dev/kvm, lets KSM merge the machine's memory and takes the merging apart
 * again, and prints what the kernel and the guest counted.
 *
 * Every line for the host is "@pg WORD key=value ... ;" -- the semicolon shows
 * that the line is whole.  Parameters come through the environment, which is
 * where the kernel puts key=value arguments that it does not know:
 *   PG_ROUNDS    number of rounds
 *   PG_CPUS      1 or 2: with 2, the virtual CPU stays on CPU 1
 *   PG_PATIENCE  seconds without a full pass of the guest until KSM has to rest, and
 *                then until the guest counts as stuck
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include "layout.h"

#define PAGE		4096u
#define KSM		"/sys/kernel/mm/ksm/"
#define TRACE		"/sys/kernel/debug/tracing/"
#define CHURN		(2048 * PAGE)
#define FEW		"16"		/* pages a KSM step: the guest runs in between */
#define MANY		"256"		/* the same where only the result counts */
#define WRITING		0.5		/* seconds of each writing phase */

extern const char payload[], payload_end[];

static char *low;			/* the guest's address 0 */
static u32 *data;			/* the guest's DATA_ADDRESS */
static struct control *control;
static int vcpu;
static struct kvm_run *run;
static volatile int vcpu_gone;
static unsigned int cpus, patience;

/* The kernel functions whose calls are counted; later names are other versions'. */
static struct probe {
	const char *label;
	const char *names[3];
	const char *used;
} probes[] = {
	{ "npf", { "npf_interception", "kvm_mmu_page_fault" }, NULL },
	{ "change_pte", { "kvm_mmu_notifier_change_pte" }, NULL },
	{ "range_start", { "kvm_mmu_notifier_invalidate_range_start" }, NULL },
	{ "zap", { "kvm_unmap_hva_range", "kvm_unmap_gfn_range" }, NULL },
	{ "tdp_map", { "kvm_tdp_mmu_map" }, NULL },
};
#define PROBES (sizeof(probes) / sizeof(*probes))

struct counters {
	long faults;			/* debugfs pf_fixed, -1: not there */
	long hits[PROBES];		/* -1: no such probe */
	u32 errors, words, passes;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	char line[600] = "@pg ";
	va_list args;
	int size;

	va_start(args, format);
	size = 4 + vsnprintf(line + 4, sizeof(line) - 8, format, args);
	va_end(args);
	size += sprintf(line + size, " ;\n");
	if (write(1, line, size) != size)
		_exit(1);
}

__attribute__((noreturn)) static void leave(void)
{
	sync();
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

#define fail(...) do { say("fail " __VA_ARGS__); leave(); } while (0)

static int read_text(const char *path, char *text, int size)
{
	int file = open(path, O_RDONLY), got, used = 0;

	if (file < 0)
		return -1;
	while (used < size - 1 && (got = read(file, text + used, size - 1 - used)) > 0)
		used += got;
	close(file);
	text[used] = 0;
	return used;
}

static long read_number(const char *path)
{
	char text[64];

	return read_text(path, text, sizeof(text)) > 0 ? atol(text) : -1;
}

static int write_text(const char *path, const char *text, int flags)
{
	int file = open(path, O_WRONLY | flags), done;

	if (file < 0)
		return -1;
	done = write(file, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
	close(file);
	return done;
}

static void set(const char *path, const char *text)
{
	if (write_text(path, text, 0))
		fail("what=write path=%s value=%s errno=%d", path, text, errno);
}

static void add_probe(struct probe *probe)
{
	char line[160], path[160];
	unsigned int i;

	for (i = 0; i < 3 && probe->names[i]; i++) {
		snprintf(line, sizeof(line), "p:pg/%s %s\n", probe->label, probe->names[i]);
		snprintf(path, sizeof(path), TRACE "events/pg/%s/enable", probe->label);
		if (write_text(TRACE "kprobe_events", line, O_APPEND))
			continue;
		if (!write_text(path, "1", 0)) {
			probe->used = probe->names[i];
			return;
		}
	}
}

static void probe_hits(struct counters *c)
{
	static char text[4096];
	unsigned int i;

	if (read_text(TRACE "kprobe_profile", text, sizeof(text)) < 0)
		text[0] = 0;
	for (i = 0; i < PROBES; i++) {
		char name[64], *line = text;
		long hits;

		c->hits[i] = -1;
		for (; probes[i].used && line; line = strchr(line, '\n'), line += !!line)
			if (sscanf(line, " %63s %ld", name, &hits) == 2 &&
			    !strcmp(name, probes[i].label))
				c->hits[i] = hits;
	}
}

static struct counters count(void)
{
	struct counters c;

	c.faults = read_number("/sys/kernel/debug/kvm/pf_fixed");
	probe_hits(&c);
	c.errors = control->errors;
	c.words = control->words;
	c.passes = control->passes;
	return c;
}

static long difference(long after, long before)
{
	return after < 0 || before < 0 ? -1 : after - before;
}

/* Words of the data pages that init itself finds changed. */
static u32 own_check(void)
{
	u32 page, word, errors = 0;

	for (page = 0; page < PAGES; page++)
		for (word = 0; word < WORDS; word++)
			errors += data[page * WORDS + word] != content(page, word);
	return errors;
}

static void report(int round, const char *phase, double began, const struct counters *a,
		   u32 own_errors)
{
	struct counters b = count();
	char hits[200] = "";
	unsigned int i, used = 0;

	for (i = 0; i < PROBES; i++)
		used += snprintf(hits + used, sizeof(hits) - used, " %s=%ld", probes[i].label,
				 difference(b.hits[i], a->hits[i]));
	say("phase round=%d name=%s ms=%.0f faults=%ld%s errors=%u own_errors=%u words=%u "
	    "passes=%u shared=%ld sharing=%ld bad=%u:%u:%#x",
	    round, phase, (now() - began) * 1e3, difference(b.faults, a->faults), hits,
	    b.errors - a->errors, own_errors, b.words - a->words, b.passes - a->passes,
	    read_number(KSM "pages_shared"), read_number(KSM "pages_sharing"),
	    control->bad_page, control->bad_word, control->bad_value);
}

static void check_running(const char *phase)
{
	if (vcpu_gone)
		fail("what=exit phase=%s reason=%u", phase, run->exit_reason);
}

/* Whether a full pass of the guest ends before the patience does. */
static int moves(const char *phase)
{
	u32 last = control->passes;
	double began = now();

	while (control->passes == last) {
		usleep(1000);
		check_running(phase);
		if (now() - began > patience)
			return 0;
	}
	return 1;
}

/*
 * Let the guest do `passes` full passes.  On a busy host KSM can starve the guest,
 * whose faults are retried while a range is being changed; so before the guest
 * counts as stuck, KSM rests.
 */
static void let_run(const char *phase, u32 passes)
{
	u32 first = control->passes;

	while (control->passes - first < passes) {
		long ksm = read_number(KSM "run");

		if (moves(phase))
			continue;
		set(KSM "run", "0");
		if (!moves(phase))
			fail("what=stuck phase=%s seconds=%u passes=%u", phase, 2 * patience,
			     control->passes);
		say("rest phase=%s", phase);
		if (ksm == 1)
			set(KSM "run", "1");
	}
}

/* One pass may still be under way in the old mode, the second is in the new one. */
static void change_mode(const char *phase, enum mode mode)
{
	control->mode = mode;
	let_run(phase, 2);
}

static void fill(void)
{
	u32 page, word;

	for (page = 0; page < PAGES; page++)
		for (word = 0; word < WORDS; word++)
			data[page * WORDS + word] = content(page, word);
}

/* Reuse the pages that merging freed: a stale mapping of one then reads this. */
static void churn(void)
{
	u32 *area = mmap(NULL, CHURN, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	u32 i;

	if (area == MAP_FAILED)
		fail("what=memory errno=%d", errno);
	for (i = 0; i < CHURN / 4; i++)
		area[i] = 0xdead0000u | (i & 0xffff);
	munmap(area, CHURN);
}

static void advise(int advice)
{
	if (madvise(data, PAGES * PAGE, advice))
		fail("what=madvise advice=%d errno=%d", advice, errno);
}

/*
 * Every page new, filled, mapped in the guest; KSM at rest and without memory of
 * the pages.  New pages make rounds alike: zapping a mapping marks its page as
 * accessed, a page marked twice is queued for the active list, and KSM puts off a
 * queued page, because the queue holds a reference.
 */
static void settle(void)
{
	change_mode("settle", MODE_IDLE);
	set(KSM "run", "2");
	advise(MADV_UNMERGEABLE);
	advise(MADV_DONTNEED);
	advise(MADV_MERGEABLE);
	fill();
	change_mode("settle", MODE_READ);
	let_run("settle", 4);
}

static void scan_with(const char *pages_to_scan)
{
	set(KSM "pages_to_scan", pages_to_scan);
	set(KSM "run", "1");
}

static void merge(const char *phase, const char *pages_to_scan)
{
	double began = now();

	scan_with(pages_to_scan);
	while (read_number(KSM "pages_shared") != PAGES / GROUP ||
	       read_number(KSM "pages_sharing") != PAGES - PAGES / GROUP) {
		if (now() - began > 240)
			fail("what=unmerged phase=%s shared=%ld sharing=%ld", phase,
			     read_number(KSM "pages_shared"), read_number(KSM "pages_sharing"));
		let_run(phase, 1);
	}
	set(KSM "run", "0");
	let_run(phase, 4);
}

static void phase_merge(int round)
{
	struct counters before = count();
	double began = now();

	merge("merge", FEW);
	report(round, "merge", began, &before, 0);
	before = count();
	began = now();
	churn();
	let_run("reread", WORDS);
	report(round, "reread", began, &before, own_check());
}

/* Copy on write from outside the guest: init writes what is there already. */
static void phase_unmerge(int round)
{
	struct counters before = count();
	double began = now();
	u32 page;

	for (page = 0; page < PAGES; page++)
		*(volatile u32 *)&data[page * WORDS] = content(page, 0);
	let_run("unmerge", 4);
	report(round, "unmerge", began, &before, own_check());
}

static void protect(int rights)
{
	if (mprotect(data, PAGES * PAGE, rights))
		fail("what=mprotect rights=%d errno=%d", rights, errno);
}

/*
 * Copies that are read-only as the pages before them: the memory is read-only for
 * init itself, which then writes to it by force, as a debugger does.
 */
static void phase_unshare(int round)
{
	int file = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	struct counters before;
	double began;
	u32 page, word;

	if (file < 0)
		fail("what=open path=/proc/self/mem errno=%d", errno);
	merge("reshare", MANY);
	protect(PROT_READ);
	let_run("unshare", 4);
	before = count();
	began = now();
	for (page = 0; page < PAGES; page++) {
		word = content(page, 0);
		if (pwrite(file, &word, sizeof(word), (off_t)&data[page * WORDS]) != sizeof(word))
			fail("what=force page=%u errno=%d", page, errno);
	}
	churn();
	let_run("unshare", 4);
	report(round, "unshare", began, &before, own_check());
	protect(PROT_READ | PROT_WRITE);
	close(file);
}

/*
 * Each page in turn is written at a word of its own.  A mapping that stayed
 * writable lets the guest write to the page that all others share.
 */
static void phase_directed(int round)
{
	struct counters before;
	double began;
	u32 own_errors;

	merge("remerge", MANY);
	before = count();
	began = now();
	change_mode("directed", MODE_DIRECTED_WRITE);
	change_mode("directed", MODE_IDLE);
	change_mode("directed", MODE_DIRECTED_CHECK);
	change_mode("directed", MODE_DIRECTED_UNDO);
	change_mode("directed", MODE_IDLE);
	own_errors = own_check();
	report(round, "directed", began, &before, own_errors);
}

/* KSM at work while the guest writes; no fixed amount of work, errors matter. */
static void phase_writes(int round, const char *phase, enum mode mode)
{
	struct counters before;
	double began = now();

	settle();
	before = count();
	scan_with(MANY);
	change_mode(phase, mode);
	while (now() - began < WRITING)
		let_run(phase, 1);
	set(KSM "run", "0");
	change_mode(phase, MODE_IDLE);
	report(round, phase, began, &before, own_check());
}

static void *vcpu_thread(void *unused)
{
	cpu_set_t set_of_cpus;

	CPU_ZERO(&set_of_cpus);
	CPU_SET(cpus - 1, &set_of_cpus);
	if (sched_setaffinity(0, sizeof(set_of_cpus), &set_of_cpus))
		fail("what=affinity errno=%d", errno);
	for (;;) {
		if (!ioctl(vcpu, KVM_RUN, 0) || (errno != EINTR && errno != EAGAIN)) {
			vcpu_gone = 1;
			return unused;
		}
	}
}

static void *memory(size_t size)
{
	void *area = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		fail("what=memory errno=%d", errno);
	return area;
}

static int kvm_do(int file, unsigned long request, void *argument, const char *what)
{
	int result = ioctl(file, request, argument);

	if (result < 0)
		fail("what=kvm call=%s errno=%d", what, errno);
	return result;
}

static void add_slot(int vm, u32 slot, u32 address, u32 size, void *area)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = address,
		.memory_size = size,
		.userspace_addr = (unsigned long)area,
	};

	kvm_do(vm, KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
}

static void set_registers(void)
{
	struct kvm_segment flat = { .limit = 0xffffffff, .type = 3, .present = 1, .db = 1,
				    .s = 1, .g = 1, .selector = 16 };
	struct kvm_regs regs = { .rip = CODE_ADDRESS, .rsp = STACK_TOP, .rflags = 2 };
	struct kvm_sregs sregs;

	kvm_do(vcpu, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS");
	sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = flat;
	flat.type = 11;
	flat.selector = 8;
	sregs.cs = flat;
	sregs.cr0 |= 1;
	kvm_do(vcpu, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS");
	kvm_do(vcpu, KVM_SET_REGS, &regs, "KVM_SET_REGS");
}

static void start_machine(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm;
	static pthread_t thread;

	if (kvm < 0)
		fail("what=kvm call=open errno=%d", errno);
	vm = kvm_do(kvm, KVM_CREATE_VM, NULL, "KVM_CREATE_VM");
	low = memory(LOW_SIZE);
	data = memory(PAGES * PAGE);
	control = (struct control *)(low + CONTROL_ADDRESS);
	memcpy(low + CODE_ADDRESS, payload, payload_end - payload);
	add_slot(vm, 0, 0, LOW_SIZE, low);
	add_slot(vm, 1, DATA_ADDRESS, PAGES * PAGE, data);
	vcpu = kvm_do(vm, KVM_CREATE_VCPU, NULL, "KVM_CREATE_VCPU");
	run = mmap(NULL, kvm_do(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL, "KVM_GET_VCPU_MMAP_SIZE"),
		   PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		fail("what=memory errno=%d", errno);
	set_registers();
	if (pthread_create(&thread, NULL, vcpu_thread, NULL))
		fail("what=thread errno=%d", errno);
}

static unsigned int parameter(const char *name, unsigned int otherwise)
{
	const char *text = getenv(name);

	return text && atoi(text) > 0 ? (unsigned int)atoi(text) : otherwise;
}

static void mount_all(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	if (mount("proc", "/proc", "proc", 0, NULL) || mount("sys", "/sys", "sysfs", 0, NULL) ||
	    mount("debug", "/sys/kernel/debug", "debugfs", 0, NULL))
		fail("what=mount errno=%d", errno);
	if (mount("dev", "/dev", "devtmpfs", 0, NULL) && errno != EBUSY)
		fail("what=mount errno=%d", errno);
}

static void greet(void)
{
	char names[300] = "", tdp_mmu[8] = "";
	struct utsname name;
	unsigned int i, used = 0;

	uname(&name);
	for (i = 0; i < PROBES; i++) {
		add_probe(&probes[i]);
		used += snprintf(names + used, sizeof(names) - used, " %s=%s", probes[i].label,
				 probes[i].used ? probes[i].used : "-");
	}
	read_text("/sys/module/kvm/parameters/tdp_mmu", tdp_mmu, sizeof(tdp_mmu));
	say("start release=%s online=%ld pages=%u group=%u tdp_mmu=%s%s", name.release,
	    sysconf(_SC_NPROCESSORS_ONLN), PAGES, GROUP,
	    *tdp_mmu == 'Y' ? "1" : *tdp_mmu == 'N' ? "0" : "-", names);
	if (sysconf(_SC_NPROCESSORS_ONLN) < (long)cpus)
		fail("what=cpus wanted=%u", cpus);
}

int main(void)
{
	unsigned int rounds, round;

	mount_all();
	rounds = parameter("PG_ROUNDS", 10);
	cpus = parameter("PG_CPUS", 1);
	patience = parameter("PG_PATIENCE", 10);
	greet();
	set(KSM "sleep_millisecs", "1");
	write_text(KSM "smart_scan", "0", 0);	/* 6.7 and later: it skips pages */
	start_machine();
	for (round = 1; round <= rounds; round++) {
		settle();
		phase_merge(round);
		phase_unmerge(round);
		settle();
		phase_unshare(round);
		settle();
		phase_directed(round);
		phase_writes(round, "write-same", MODE_WRITE_SAME);
		phase_writes(round, "toggle", MODE_TOGGLE);
	}
	say("end rounds=%u errors=%u", rounds, control->errors);
	leave();
}
