# SPDX-License-Identifier: GPL-2.0-only
"""What `posted_mails` puts mails together from: texts as they occur on public lists."""

from __future__ import annotations

Choice = tuple[bytes, ...]

#: What stands above the headers.
FIRSTS: Choice = (
    b"",
    b"From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001\n",
    b"From git@z Thu Jan  1 00:00:00 1970\n",
    b"From mboxrd@z Thu Jan  1 00:00:00 1970\n",
    b"From patchwork Tue Nov 14 22:13:20 2023\n",
    b"From author@example.org Tue Nov 14 22:13:20 2023\n",
    b"From author@example.org  Tue Nov 14 22:13:20 2023 +0100\n",
)

#: From headers.
AUTHORS: Choice = (
    b"A U Thor <author@example.org>",
    b"A U Thor <author@example.org>",
    b"author@example.org",
    b'"Thor, A (Company)" <author@example.org>',
    b"=?UTF-8?B?Wm/DqyBU?= <author@example.org>",
    b"=?utf-8?q?Zo=C3=AB?=\n =?utf-8?q?_Thor?= <author@example.org>",
    b"<author@example.org>",
    b"A U Thor via linux-x <linux-x@lists.example.org>",
    b"author@example.org (A U Thor)",
    b"=?iso-8859-1?Q?Zo=EB_Thor?= <author@example.org>",
    b"Zo\xc3\xab Thor <z@example.org>",
    b"'A U Thor' <author@example.org>",
    b"tip-bot2 for A <tip-bot2@example.org>",
)

#: Date headers; the last says that there is none.
DATES: Choice = (
    b"Tue, 14 Nov 2023 22:13:20 +0100",
    b"Tue, 14 Nov 2023 22:13:20 +0100",
    b"Tue, 14 Nov 2023 22:13:20 +0100 (CET)",
    b"Tue, 14 Nov 2023 14:13:20 -0800 (PST)",
    b"Tue, 14 Nov 2023 22:13:20 GMT",
    b"Tue, 14 Nov 2023 22:13:20 -0000",
    b"14 Nov 2023 22:13:20 +0100",
    b"Tue,  4 Nov 2023 22:13:20 +0100",
    b"Tue, 14 Nov 2023 22:13 +0100",
    b"Tue Nov 14 22:13:20 2023 +0100",
    b"2023-11-14 22:13:20 +0100",
    b"2023-11-14T22:13:20+01:00",
    b"2023-11-14T22:13:20Z",
    b"Tue, 14 Nov 2023 22:13:20 UTC",
    b"",
)

#: What stands in front of a subject.
TAGS: Choice = (
    b"[PATCH] ",
    b"[PATCH v2] ",
    b"[PATCH net-next v3] ",
    b"[RFC PATCH] ",
    b"[PATCH RFC] ",
    b"[RFC][PATCH] ",
    b"[patch] ",
    b"[PATCH -mm] ",
    b"[PATCH 5.10] ",
    b"[PATCH 1/1] ",
    b"[PATCHv3 1/1] ",
    b"[PATCH] [RESEND] ",
    b"[RESEND PATCH v4 1/1] ",
    b"[PATCH,v2] ",
    b"[v2] ",
    b"[tip: x86/mm] ",
    b"[PATCH 1/1 v2] ",
    b"[PATCH 01/01] ",
    b"PATCH: ",
    b"",
    b"[linux-next] [PATCH] ",
    b"[PATCH 2/1] ",
    b"[PATCH 12/11] ",
    b"[Intel-gfx] [PATCH] ",
    b"[PATCH kernel v2.1] ",
    b"[PATCH v2 1/1] [media] ",
    b"[PATCH 3/7] ",
    b"+ mm-x.patch added to mm-unstable branch: ",
    b"[1/1] ",
    b"[PATCH  1/1]\t",
    b"[patch 1/1]",
    b"[PATCH rdma-next 1/1] ",
    b"FAILED: ",
    b"[GIT PULL] [PATCH] ",
)

#: Subjects.
SUBJECTS: Choice = (
    b"mm: change something",
    b"mm: change something",
    b"mm/a: change\n something that is longer",
    b"=?UTF-8?q?mm:_=C3=A9t=C3=A9?=",
    b"=?UTF-8?B?bW06IMOpdA==?=\n =?UTF-8?B?w6k=?=",
    b"mm: use a->b [in] {braces}",
    b'Revert "mm: change something"',
    b"mm: re: something",
    b"mm: \xc3\xa9t\xc3\xa9",
    b"mm: change <linux/a.h>, (void) \\n 'x'",
    b"mm:  two  blanks",
    b"mm: x.",
)

#: What lists, programs and archives add.
HEADERS: Choice = (
    b"Return-Path: <author@example.org>",
    b"Message-ID: <1@example.org>",
    b"Message-Id: <1@example.org>",
    b"Received: from x (x [192.0.2.1])\n\tby y with ESMTPS; Tue, 14 Nov 2023 22:13:21 +0100 (CET)",
    b"Received: by z; Tue, 14 Nov 2023 22:13:22 +0100",
    b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org;\n"
    b"\th=from:date:subject;\n bh=abc=",
    b"To: linux-x@example.org,\n\tX Y <x@example.org>",
    b"Cc: =?utf-8?q?J=C3=BC?= <j@example.org>",
    b"X-Mailer: git-send-email 2.39.5",
    b"In-Reply-To: <0@example.org>",
    b"User-Agent: quilt/0.65",
    b"References: <0@example.org>\n <00@example.org>",
    b"X-Patchwork-Id: 1234567",
    b"List-Id: <linux-x.example.org>",
    b"X-Developer-Signature: v=1; a=ed25519-sha256; t=1700000000; l=1;\n"
    b" h=from:subject; bh=x=; b=y=",
    b"Sender: owner@example.org",
    b"X-MS-Exchange-SenderADCheck: 1",
    b"X-Spam-Status: No,\n score=-1",
    b"Newsgroups: gmane.linux.kernel",
    b"Content-Language: en-US",
    b"Precedence: bulk",
    b"Lines: 42",
    b"Status: RO",
    b"X-Status: A",
    b"X-Subject: x",
    b"Authentication-Results: x;\n\tdkim=pass",
    b"Reply-To: x@y.org",
    b"X-Originating-From: x",
    b"Approved: news@example.org",
    b"X-TUID: abc",
    b"Subject-Prefix: x",
)

#: What stands above the message.
TOPS: Choice = (
    b"",
    b"",
    b"",
    b"From: In Body <in@example.org>\n\n",
    b"From: Zo\xc3\xab <in@example.org>\n\n",
    b"From: In Body <in@example.org>\nDate: Mon, 13 Nov 2023 22:13:20 +0100\n\n",
    b"From: In Body <in@example.org>\nSubject: [PATCH] mm: in the body\n\n",
    b"[ Upstream commit 0123456789abcdef0123456789abcdef01234567 ]\n\n",
    b"commit 0123456789abcdef0123456789abcdef01234567 upstream.\n\n",
    b"5.10-stable review patch.  If anyone has any objections, please let me know.\n\n"
    b"------------------\n\nFrom: In Body <in@example.org>\n\n",
    b"The following commit has been merged into the x86/mm branch of tip:\n\n"
    b"Commit-ID:     0123456789abcdef0123456789abcdef01234567\n"
    b"Author:        A U Thor <author@example.org>\n"
    b"AuthorDate:    Tue, 14 Nov 2023 22:13:20 +01:00\n\n",
    b"Hi,\n\nthis is what I meant.\n\n-- >8 --\n",
    b"Hello all\n\n--8<----\nFrom: In Body <in@example.org>\n\n",
    b"\n\n",
    b"From: In Body <in@example.org>\nCc: X <x@example.org>\n\n",
    b"Changes in v2:\n- one\n\n",
)

#: Messages.
TEXTS: Choice = (
    b"A reason.\n\nSigned-off-by: A U Thor <author@example.org>\n",
    b"A reason.\n\nSigned-off-by: A U Thor <author@example.org>\nReviewed-by: B <b@example.org>\n",
    b"A reason: see https://example.org/--- and [1].\n\n[1] https://example.org\n\n"
    b"Signed-off-by: A U Thor <author@example.org>\n",
    b"As in\n\n  diff --git a/mm/b.c b/mm/b.c\n  --- a/mm/b.c\n  +++ b/mm/b.c\n"
    b"  @@ -1 +1 @@\n  -b0\n  +x\n\nSigned-off-by: A U Thor <author@example.org>\n",
    b"A table:\n\n  n   before  after\n  ------------------\n  1        2      3\n\n"
    b"Signed-off-by: A U Thor <author@example.org>\n",
    b"before --- after\n----------------\nx\n\nSigned-off-by: A U Thor <author@example.org>\n",
    b"> quoted\n> text\n\nanswer\n\nSigned-off-by: A U Thor <author@example.org>\n",
    b"A log:\n\n[    1.234567] BUG: x\n[    1.2] Call Trace:\n[    1.3]  f+0x1/0x2\n\n"
    b"Signed-off-by: A U Thor <author@example.org>\n",
    b"caf\xc3\xa9 \xe2\x80\x9cx\xe2\x80\x9d\n\nSigned-off-by: A U Thor <author@example.org>\n",
    b"caf\xe9\n\nSigned-off-by: A U Thor <author@example.org>\n",
    b"\t* list\n\n\n\n\t* item \n\nSigned-off-by: A U Thor <author@example.org>\n",
    b'Fixes: 0123456789ab ("mm: x")\nLink: https://example.org\n'
    b"Signed-off-by: A U Thor <author@example.org>\n[a@b: mended]\n"
    b"Signed-off-by: A U Thor <author@example.org>\n",
    b"A reason.\n\nSigned-off-by: A U Thor <author@example.org>\n\n",
    b"Signed-off-by: A U Thor <author@example.org>\n",
    b"This reverts commit 0123456789abcdef0123456789abcdef01234567.\n\n"
    b"Signed-off-by: A U Thor <author@example.org>\n",
    b"Two ways:\n - one\n - two\n\n -- A man\n\nSigned-off-by: A U Thor <author@example.org>\n",
    b"Use\n\n    $ diff -u a b\n    $ git am\n\nSigned-off-by: A U Thor <author@example.org>\n",
    b">From the manual:\n\nSigned-off-by: A U Thor <author@example.org>\n",
    b"x = y;\n+++\n***\n\nSigned-off-by: A U Thor <author@example.org>\n",
    b"text\n--\nmore text\n\nSigned-off-by: A U Thor <author@example.org>\n",
    b"===============\nTitle\n===============\n\nSigned-off-by: A U Thor <author@example.org>\n",
)

#: What stands between the message and the diff.
NOTES: Choice = (
    b"---\n mm/a.c | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n\n",
    b"---\n mm/a.c | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n\n",
    b"---\n mm/a.c | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n\n",
    b"---\n\n mm/a.c | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n\n",
    b"---\n",
    b"--- \n mm/a.c | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n\n",
    b"---\nChanges in v2:\n - one\n   - two\nv1: https://example.org\n\n mm/a.c | 2 +-\n"
    b" 1 file changed, 1 insertion(+), 1 deletion(-)\n\n",
    b"---\nv2 -> v3: x\n---\n mm/a.c | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n\n",
    b"\n---\nBased on 0123456789abcdef0123456789abcdef01234567\n\n mm/a.c | 2 +-\n"
    b" 1 file changed, 1 insertion(+), 1 deletion(-)\n\n",
    b"---\n\nNotes:\n    v2: x\n\n mm/a.c | 2 +-\n"
    b" 1 file changed, 1 insertion(+), 1 deletion(-)\n\n",
    b"",
    b"---\nInterdiff against v1:\n  diff --git a/mm/b.c b/mm/b.c\n  index 1..2 100644\n"
    b"  --- a/mm/b.c\n  +++ b/mm/b.c\n  @@ -1 +1 @@\n  -b0\n  +x\n\n mm/a.c | 2 +-\n"
    b" 1 file changed, 1 insertion(+), 1 deletion(-)\n\n",
    b"---\nRange-diff against v1:\n1:  012345678901 ! 1:  123456789012 mm: x\n"
    b"    @@ mm/b.c: int f(void)\n      b0\n    -+x\n    ++y\n\n mm/a.c | 2 +-\n"
    b" 1 file changed, 1 insertion(+), 1 deletion(-)\n\n",
    b"---\n> quoted by me\n\n mm/a.c | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n\n",
    b"---\n mm/a.c | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n\n---\nmore\n\n",
    b"---\nCc: X <x@example.org>\nbase: v6.1 --- or later\n\n mm/a.c | 2 +-\n"
    b" 1 file changed, 1 insertion(+), 1 deletion(-)\n\n",
    b"\n",
    b"---\n mm/a.c | 2 +-\n 1 files changed, 1 insertion(+), 1 deletion(-)\n\n",
    b"---\n create mode 100644 mm/new.c\n delete mode 100644 mm/old.h\n"
    b" rename mm/{a.c => b.c} (90%)\n\n",
)

#: What stands behind the diff.
TAILS: Choice = (
    b"-- \n2.39.5\n\n",
    b"-- \n2.39.5\n\n",
    b"-- \n2.39.5\n",
    b"--\n2.39.5\n",
    b"-- \n2.39.5 (Apple Git-154)\n\n",
    b"",
    b"\n",
    b"\n\n",
    b"_\n",
    b"_\n\nPatches currently in -mm which might be from author@example.org are\n\n"
    b"mm-x.patch\nmm-y.patch\n",
    b"\nbase-commit: 0123456789abcdef0123456789abcdef01234567\n-- \n2.39.5\n\n",
    b"\n\nbase-commit: 0123456789abcdef0123456789abcdef01234567\n"
    b"prerequisite-patch-id: 0123456789abcdef0123456789abcdef01234567\n"
    b"prerequisite-patch-id: 0123456789abcdef0123456789abcdef01234567\n-- \n2.39.5\n",
    b"-- \n2.39.5\n\nbase-commit: 0123456789abcdef0123456789abcdef01234567\nbranch: x\n",
    b"\n---\nbase-commit: 0123456789abcdef0123456789abcdef01234567\n"
    b"change-id: 20231114-x-0123456789ab\n\nBest regards,\n-- \n"
    b"A U Thor <author@example.org>\n\n",
    b"\n---\nbase-commit: 0123456789abcdef0123456789abcdef01234567\n\nBest regards,\n"
    b"--  \nA U Thor <author@example.org>\n",
    b"-- \n2.39.5\n\n_______________________________________________\n"
    b"linux-x mailing list\nlinux-x@lists.example.org\n"
    b"http://lists.example.org/listinfo/linux-x\n",
    b"\n_______________________________________________\nlinux-x mailing list\n"
    b"linux-x@lists.example.org\n",
    b"-- \n2.39.5\n\n-- \n"
    b"You received this message because you are subscribed to the "
    b'Google Groups "x" group.\n'
    b"To unsubscribe from this group, send an email to x+unsubscribe@example.org.\n",
    b'--\nTo unsubscribe from this list: send the line "unsubscribe linux-x" in\n'
    b"the body of a message to m@example.org\n"
    b"More majordomo info at  http://example.org/majordomo-info.html\n"
    b"Please read the FAQ at  http://www.tux.org/lkml/\n",
    b"-- \nA U Thor\nSome Company, Some Town\n",
    b"\nThanks,\nA\n",
    b"\nChanges since v1:\n- one\n- two\n  + three\n",
    b"\n> quoted text\n> more\n\nSee above.\n",
    b"\n-----\nThis message is confidential.\n",
    b"\n[1] https://example.org/x\n",
    b"\nv2: use b instead of a\n\n",
    b"-- \n2.39.5\n\n\n",
    b"\nIMPORTANT NOTICE: The contents of this email are confidential.\n",
    b"\n\n--\n2.39.5\n\n",
    b"--- \n2.39.5\n",
    b"\n\x0c\n",
    b"\nRegards --- A\n",
    b"\n* one\n* two\n",
    b"\n(cherry picked from commit x)\n",
)

#: Charsets, some with what else a mail says there.
CHARSETS: Choice = (
    b"UTF-8",
    b"utf-8",
    b'"utf-8"',
    b"us-ascii",
    b"US-ASCII",
    b"UTF-8; format=fixed",
    b"ISO-8859-1",
    b"iso-8859-15",
    b"windows-1252",
    b"utf8",
    b'"US-ASCII"; delsp=no',
    b"UTF-8; name=x.patch",
    b"koi8-r",
    b"ANSI_X3.4-1968",
)
