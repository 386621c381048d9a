// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests between clients and the server, and which server there is. In: what sessions want, what the server answers, descriptors
 * that come and go. Out: requests for RECV, answers for waiters. States are in include/uapi/linux/dragoman.h.
 *
 * A request is in by_id and by_key from being asked until it is answered (state DONE), and meanwhile on one list: a
 * pending one of its priority, or its receiver's. That membership is one reference, each waiter another. What a request holds is
 * let go of without queue_lock.
 */
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/hrtimer.h>
#include <linux/jhash.h>
#include <linux/moduleparam.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include <linux/workqueue.h>

#include "internal.h"
#include "trace.h"

static unsigned int grace_ms = 2000;
module_param(grace_ms, uint, 0644);
MODULE_PARM_DESC(grace_ms, "Milliseconds that clients wait for a new server after the last one is gone");

static unsigned int user_requests = 1024;
module_param(user_requests, uint, 0644);
MODULE_PARM_DESC(user_requests, "Requests that one user may have waiting; beyond them programs translate privately");

#define ALL_REQUESTS	16384u
#define SESSION_REQUESTS 64		/* that nobody waits for */
#define NPRIORITIES	3

enum state { PENDING, TAKEN, DONE };

/* A user with requests: who is responsible for them, see responsible(). */
struct asker {
	struct hlist_node node;
	kuid_t uid;
	unsigned int requests;
};

struct request {
	u64 id;
	u32 kind, priority, key;
	enum state state;
	refcount_t refs;
	struct list_head list;		/* pending[], a receiver's taken, or what is being finished */
	struct hlist_node by_id, by_key;
	wait_queue_head_t wait;

	struct dragoman_session *session;
	struct dragoman_image *image;
	struct dragoman_object *object;
	struct dragoman_class class;
	u64 offset, length;
	struct asker *user;
	kuid_t uid;
	struct pid *pid;
	bool secure, counted;
	u64 asked;			/* ns */
	unsigned int requeues;

	struct dragoman_ctl *ctl;	/* TAKEN */
	int error;			/* DONE: 0 or -errno */
	u32 status;			/* DONE: enum dragoman_status */
};

static DEFINE_SPINLOCK(queue_lock);
static DEFINE_HASHTABLE(by_id, 10);
static DEFINE_HASHTABLE(by_key, 10);
static DEFINE_HASHTABLE(users, 6);
static struct list_head pending[NPRIORITIES] = {
	LIST_HEAD_INIT(pending[0]), LIST_HEAD_INIT(pending[1]), LIST_HEAD_INIT(pending[2])
};
static unsigned int nrequests;
static u64 last_id;

static DECLARE_WAIT_QUEUE_HEAD(receivers);

/* The server. After it is gone there is a time in which a new one may come and nobody notices. */
static struct {
	u64 generation;
	unsigned int ctls;
	bool grace;
} server;

static void grace_over(struct work_struct *work);
static DECLARE_DELAYED_WORK(grace_work, grace_over);

/* ---- requests: making, finding, ending --------------------------------------------------------------------------- */

static u32 want_key(const struct dragoman_want *want)
{
	const void *what = want->kind == DRAGOMAN_REQ_MISS ? (const void *)want->object : want->image;
	u32 hash = jhash(&what, sizeof(what), want->kind);

	if (want->kind == DRAGOMAN_REQ_MISS)
		return jhash_2words(want->offset, want->offset >> 32, hash);
	return jhash(&want->class, sizeof(want->class), hash);
}

static bool is_wanted(const struct request *req, const struct dragoman_want *want)
{
	if (req->kind != want->kind)
		return false;
	if (req->kind == DRAGOMAN_REQ_MISS)
		return req->object == want->object && req->offset == want->offset;
	return req->image == want->image && !memcmp(&req->class, &want->class, sizeof(want->class));
}

static struct request *find_same(const struct dragoman_want *want, u32 key)
{
	struct request *req;

	hash_for_each_possible(by_key, req, by_key, key)
		if (is_wanted(req, want))
			return req;
	return NULL;
}

static struct request *find_id(u64 id)
{
	struct request *req;

	hash_for_each_possible(by_id, req, by_id, id)
		if (req->id == id)
			return req;
	return NULL;
}

static struct asker *find_asker(kuid_t uid)
{
	struct asker *user;

	hash_for_each_possible(users, user, node, __kuid_val(uid))
		if (uid_eq(user->uid, uid))
			return user;
	return NULL;
}

/* Without queue_lock. */
static void request_free(struct request *req)
{
	struct asker *user = req->user;

	if (req->image)
		dragoman_image_unuse(req->image);
	if (req->object)
		dragoman_object_put(req->object);
	if (req->counted)
		atomic_dec(&req->session->unanswered);
	if (req->session)
		dragoman_session_put(req->session);
	put_pid(req->pid);
	spin_lock(&queue_lock);
	if (--user->requests)
		user = NULL;
	else
		hash_del(&user->node);
	spin_unlock(&queue_lock);
	kfree(user);
	kfree(req);
}

static void request_put(struct request *req)
{
	if (refcount_dec_and_test(&req->refs))
		request_free(req);
}

/* Under queue_lock. Moves it to ended, which the caller gives to put_ended() later. */
static void finish(struct request *req, u32 status, int error, struct list_head *ended)
{
	req->status = status;
	req->error = error;
	req->ctl = NULL;
	/* Pairs with wait_for(), which looks without the lock: whoever sees this sees the above. */
	smp_store_release(&req->state, DONE);
	hash_del(&req->by_id);
	hash_del(&req->by_key);
	nrequests--;
	list_move_tail(&req->list, ended);
	trace_dragoman_answered(req->id, req->kind, error ? error : (int)status, ktime_get_ns() - req->asked);
	/* The server goes on to the next request or sleeps: the waiter may have its CPU. */
	__wake_up_sync(&req->wait, TASK_NORMAL);
}

static void put_ended(struct list_head *ended)
{
	struct request *req, *next;

	list_for_each_entry_safe(req, next, ended, list) {
		list_del(&req->list);
		request_put(req);
	}
}

/*
 * A user can have many user IDs in namespaces of his own (/etc/subuid): they share what the namespaces' owner may have. In those
 * that root made each ID counts for itself, as outside.
 */
static kuid_t responsible(void)
{
	const struct user_namespace *ns = current_user_ns();

	if (ns == &init_user_ns)
		return current_uid();
	while (ns->parent != &init_user_ns)
		ns = ns->parent;
	return uid_eq(ns->owner, GLOBAL_ROOT_UID) ? current_uid() : ns->owner;
}

static struct request *request_alloc(const struct dragoman_want *want, struct asker **user)
{
	struct request *req = kzalloc(sizeof(*req), GFP_KERNEL_ACCOUNT);

	if (!req)
		return NULL;
	*user = kzalloc(sizeof(**user), GFP_KERNEL_ACCOUNT);
	if (!*user) {
		kfree(req);
		return NULL;
	}
	(*user)->uid = want->session ? responsible() : GLOBAL_ROOT_UID;
	req->uid = want->session ? current_uid() : GLOBAL_ROOT_UID;
	return req;
}

/* Under queue_lock: is there room for one more? -EAGAIN: no. */
static int check_limits(const struct dragoman_want *want, const struct asker *user)
{
	/* What nobody waits for goes first. */
	unsigned int share = want->priority < 2 ? 1 : 2;

	if (!want->session)
		return 0;
	if (nrequests >= ALL_REQUESTS / share || (user && user->requests >= READ_ONCE(user_requests) / share))
		return -EAGAIN;
	if (!want->wait && atomic_read(&want->session->unanswered) >= SESSION_REQUESTS / share)
		return -EAGAIN;
	return 0;
}

/* Under queue_lock. Takes over *fresh_user, if it is needed. */
static void insert(struct request *req, const struct dragoman_want *want, u32 key, struct asker **fresh_user)
{
	struct asker *user = find_asker((*fresh_user)->uid);

	if (!user) {
		user = *fresh_user;
		*fresh_user = NULL;
		hash_add(users, &user->node, __kuid_val(user->uid));
	}
	user->requests++;
	req->user = user;
	req->id = ++last_id;
	req->kind = want->kind;
	req->priority = want->priority;
	req->key = key;
	refcount_set(&req->refs, 1);
	init_waitqueue_head(&req->wait);
	req->session = want->session;
	if (req->session) {
		kref_get(&req->session->ref);
		req->secure = req->session->secure;
		if (!want->wait) {
			req->counted = true;
			atomic_inc(&req->session->unanswered);
		}
	}
	/* The image and the object have been got for us. */
	req->image = want->image;
	req->object = want->object;
	req->class = want->class;
	req->offset = want->offset;
	req->length = want->length;
	req->pid = get_pid(task_tgid(current));
	req->asked = ktime_get_ns();
	hash_add(by_id, &req->by_id, req->id);
	hash_add(by_key, &req->by_key, key);
	list_add_tail(&req->list, &pending[req->priority]);
	nrequests++;
	dragoman_count(STAT_QUEUED);
	trace_dragoman_queued(req->id, req->kind, req->image->id, req->object ? req->object->id : 0, req->offset, req->priority);
}

/* Somebody wants it more than whoever asked first. */
static void raise(struct request *req, u32 priority)
{
	if (req->state != PENDING || req->priority <= priority)
		return;
	req->priority = priority;
	list_move_tail(&req->list, &pending[priority]);
}

/* ---- clients ----------------------------------------------------------------------------------------------------- */

/* Sleeps until deadline (ns); true when that is over. */
static bool sleep_until(u64 deadline)
{
	ktime_t at = deadline > KTIME_MAX ? KTIME_MAX : deadline;

	if (deadline == DRAGOMAN_NO_DEADLINE) {
		schedule();
		return false;
	}
	return !schedule_hrtimeout(&at, HRTIMER_MODE_ABS);
}

static int wait_for(struct request *req, const struct dragoman_want *want, u32 *status)
{
	/* A server may be frozen before us, so that we have to be freezable while we wait for it. */
	unsigned int how = (want->killable ? TASK_KILLABLE : TASK_INTERRUPTIBLE) | TASK_FREEZABLE;
	bool late = false;
	DEFINE_WAIT(entry);
	int err;

	for (;;) {
		prepare_to_wait(&req->wait, &entry, how);
		/* Pairs with finish(). */
		if (smp_load_acquire(&req->state) == DONE) {
			err = req->error;
			*status = req->status;
			break;
		}
		err = -ETIMEDOUT;
		if (late) {
			dragoman_count(STAT_TIMEOUTS);
			break;
		}
		err = -ERESTARTSYS;
		if (signal_pending_state(how, current))
			break;
		late = sleep_until(want->deadline);
	}
	finish_wait(&req->wait, &entry);
	return err;
}

/* Under queue_lock: the request that is wanted, or NULL; *ended if the one with the caller's cookie is no more. */
static struct request *find_wanted(const struct dragoman_want *want, u32 key, bool *ended)
{
	struct request *req;

	*ended = false;
	if (!want->cookie)
		return find_same(want, key);
	req = find_id(want->cookie);
	if (req && is_wanted(req, want))
		return req;
	*ended = true;
	return NULL;
}

/*
 * Under queue_lock: joins the request or inserts the fresh one; *req is the caller's if he wants to wait. *ended: neither is needed.
 */
static int join_or_insert(struct dragoman_want *want, u32 key, struct request **req, struct request *fresh, struct asker **user,
			  bool *ended)
{
	int err;

	if (*req) {
		raise(*req, want->priority);
	} else {
		/*
		 * It may have been answered since the caller looked: an answer is in the image before its request is gone. A second
		 * request would be waited for until a server had answered that, too.
		 */
		*ended = want->kind == DRAGOMAN_REQ_OPEN && dragoman_image_is_answered(want->image, &want->class);
		if (*ended)
			return 0;
		err = check_limits(want, find_asker((*user)->uid));
		/* It may have been retired meanwhile; after this whoever retires it ends the request. */
		if (!err && want->object && READ_ONCE(want->object->retired))
			err = -ESTALE;
		if (err)
			return err;
		insert(fresh, want, key, user);
		*req = fresh;
	}
	want->cookie = (*req)->id;
	if (want->wait)
		refcount_inc(&(*req)->refs);
	return 0;
}

/*
 * Asks the server, once, and if wanted waits. The caller uses the image and holds the object and session. 0 and *status
 * (NONE if it did not wait, OK if it has been answered before); -ENOTCONN, -EAGAIN, -ESTALE, -ENOMEM; -ETIMEDOUT, -ERESTARTSYS with want->cookie set.
 */
int dragoman_queue_ask(struct dragoman_want *want, u32 *status)
{
	struct request *req = NULL, *fresh = NULL;
	struct asker *user = NULL;
	u32 key = want_key(want);
	bool ended = false;
	int err;

	for (;;) {
		spin_lock(&queue_lock);
		err = server.ctls || server.grace ? 0 : -ENOTCONN;
		if (err)
			break;
		req = find_wanted(want, key, &ended);
		if (req || fresh || ended)
			break;
		spin_unlock(&queue_lock);
		fresh = request_alloc(want, &user);
		if (!fresh)
			return -ENOMEM;
		/* For the request, should it be needed: not possible with the lock. */
		dragoman_image_use_again(want->image);
		if (want->object)
			dragoman_object_get(want->object);
	}
	if (!err && !ended)
		err = join_or_insert(want, key, &req, fresh, &user, &ended);
	spin_unlock(&queue_lock);

	kfree(user);
	if (fresh && fresh != req) {
		dragoman_image_unuse(want->image);
		if (want->object)
			dragoman_object_put(want->object);
		kfree(fresh);
	}
	if (err) {
		dragoman_count(STAT_REFUSED);
		trace_dragoman_refused(want->kind, err);
		return err;
	}
	if (ended) {
		*status = DRAGOMAN_OK;
		return 0;
	}
	if (fresh == req)
		dragoman_queue_wake_server();
	*status = DRAGOMAN_NONE;
	if (!want->wait)
		return 0;
	err = wait_for(req, want, status);
	request_put(req);
	return err;
}

/* An object is retired: who waits for it shall attach again. */
void dragoman_queue_end_object(struct dragoman_object *object)
{
	struct hlist_node *next;
	struct request *req;
	unsigned int bucket;
	LIST_HEAD(ended);

	spin_lock(&queue_lock);
	if (nrequests)
		hash_for_each_safe(by_id, bucket, next, req, by_id)
			if (req->object == object)
				finish(req, 0, -ESTALE, &ended);
	spin_unlock(&queue_lock);
	put_ended(&ended);
}

/* ---- the server comes and goes ----------------------------------------------------------------------------------- */

u64 dragoman_queue_generation(void)
{
	u64 generation;

	spin_lock(&queue_lock);
	generation = server.ctls ? server.generation : 0;
	spin_unlock(&queue_lock);
	return generation;
}

/* A new server begins with nothing said: objects and refusals of the last one are no more, and it hears what is wanted. */
static void begin_server(void)
{
	dragoman_object_retire_all();
	dragoman_image_forget_private();
	dragoman_image_reopen();
}

/* 0 and *generation; -EBUSY, -ESTALE. */
int dragoman_queue_join(struct dragoman_ctl *ctl, u32 role, u64 *generation)
{
	int err = 0;

	spin_lock(&queue_lock);
	if (role == DRAGOMAN_ROLE_SERVER) {
		if (server.ctls) {
			err = -EBUSY;
		} else {
			server.generation++;
			server.grace = false;
			*generation = server.generation;
		}
	} else if (!server.ctls || *generation != server.generation) {
		err = -ESTALE;
	}
	if (!err)
		server.ctls++;
	spin_unlock(&queue_lock);
	if (err)
		return err;
	ctl->generation = *generation;
	if (role == DRAGOMAN_ROLE_SERVER) {
		/* It may be retiring objects; that has to be over before there are new ones. */
		cancel_delayed_work_sync(&grace_work);
		begin_server();
	}
	return 0;
}

/* Under queue_lock: back to where it came from, first in line. */
static void requeue(struct request *req)
{
	req->ctl = NULL;
	/* Without the lock only DONE is looked for. */
	WRITE_ONCE(req->state, PENDING);
	list_move(&req->list, &pending[req->priority]);
}

/* The receiver is gone: others get what it had, in the same order, unless it is what kills them. */
void dragoman_queue_leave(struct dragoman_ctl *ctl)
{
	struct request *req, *next;
	LIST_HEAD(ended);

	spin_lock(&queue_lock);
	list_for_each_entry_safe_reverse(req, next, &ctl->taken, list) {
		if (++req->requeues > DRAGOMAN_MAX_REQUEUES) {
			finish(req, DRAGOMAN_PRIVATE, 0, &ended);
			continue;
		}
		requeue(req);
		dragoman_count(STAT_REQUEUED);
		trace_dragoman_requeued(req->id, req->kind, req->requeues);
	}
	if (!--server.ctls) {
		server.grace = true;
		cancel_delayed_work(&grace_work);
		schedule_delayed_work(&grace_work, msecs_to_jiffies(READ_ONCE(grace_ms)));
	}
	spin_unlock(&queue_lock);
	put_ended(&ended);
	dragoman_queue_wake_server();
}

/* Under queue_lock. */
static void finish_all(struct list_head *ended)
{
	struct hlist_node *next;
	struct request *req;
	unsigned int bucket;

	hash_for_each_safe(by_id, bucket, next, req, by_id)
		finish(req, 0, -ENOTCONN, ended);
}

/* No new server came in time. */
static void grace_over(struct work_struct *work)
{
	LIST_HEAD(ended);

	spin_lock(&queue_lock);
	if (server.ctls || !server.grace) {
		spin_unlock(&queue_lock);
		return;
	}
	server.grace = false;
	finish_all(&ended);
	spin_unlock(&queue_lock);
	put_ended(&ended);
	dragoman_object_retire_all();
}

/* ---- the server's calls ------------------------------------------------------------------------------------------ */

void dragoman_queue_wake_server(void)
{
	wake_up_interruptible_sync(&receivers);
}

static bool has_work(void)
{
	for (unsigned int i = 0; i < NPRIORITIES; i++)
		if (!list_empty_careful(&pending[i]))
			return true;
	return dragoman_image_has_idle();
}

__poll_t dragoman_queue_poll(struct file *file, struct poll_table_struct *table)
{
	poll_wait(file, &receivers, table);
	return has_work() ? EPOLLIN | EPOLLRDNORM : 0;
}

static void describe(const struct request *req, struct dragoman_req *out)
{
	memset(out, 0, sizeof(*out));
	out->id = req->id;
	out->kind = req->kind;
	if (req->image->flags & DRAGOMAN_FILE_TRUSTED)
		out->flags |= DRAGOMAN_REQ_TRUSTED;
	if (req->secure)
		out->flags |= DRAGOMAN_REQ_SECURE;
	out->image = req->image->id;
	out->object = req->object ? req->object->id : 0;
	out->priority = req->priority;
	out->offset = req->offset;
	out->length = req->length;
	if (req->kind == DRAGOMAN_REQ_OPEN) {
		out->cpu_class = req->class.cpu_class;
		memcpy(out->translator, req->class.translator, sizeof(out->translator));
	}
	out->uid = from_kuid_munged(&init_user_ns, req->uid);
	out->pid = pid_nr_ns(req->pid, task_active_pid_ns(current));
	out->requeues = req->requeues;
	out->age_ns = ktime_get_ns() - req->asked;
}

static unsigned int take_now(struct dragoman_ctl *ctl, struct dragoman_req *reqs, unsigned int max)
{
	struct request *req, *next;
	unsigned int n = 0;

	spin_lock(&queue_lock);
	for (unsigned int i = 0; i < NPRIORITIES && n < max; i++) {
		list_for_each_entry_safe(req, next, &pending[i], list) {
			if (n == max)
				break;
			WRITE_ONCE(req->state, TAKEN);
			req->ctl = ctl;
			list_move_tail(&req->list, &ctl->taken);
			describe(req, &reqs[n++]);
			dragoman_count(STAT_TAKEN);
			trace_dragoman_taken(req->id, req->kind, reqs[n - 1].age_ns);
		}
	}
	spin_unlock(&queue_lock);
	while (n < max && dragoman_image_take_idle(&reqs[n]))
		n++;
	return n;
}

/* How many were taken (>= 1); -EAGAIN with deadline 0, -ETIMEDOUT, -ERESTARTSYS. */
int dragoman_queue_take(struct dragoman_ctl *ctl, struct dragoman_req *reqs, unsigned int max, u64 deadline)
{
	bool late = false;
	DEFINE_WAIT(entry);
	int n;

	n = take_now(ctl, reqs, max);
	if (n)
		return n;
	if (!deadline)
		return -EAGAIN;
	for (;;) {
		prepare_to_wait_exclusive(&receivers, &entry, TASK_INTERRUPTIBLE);
		n = take_now(ctl, reqs, max);
		if (n)
			break;
		n = -ETIMEDOUT;
		if (late)
			break;
		n = -ERESTARTSYS;
		if (signal_pending(current))
			break;
		late = sleep_until(deadline);
	}
	finish_wait(&receivers, &entry);
	/* One wake-up wakes one receiver: if there is more, or we go without, it is another's. */
	if (has_work())
		dragoman_queue_wake_server();
	return n;
}

/* The receiver's memory could not take them. */
void dragoman_queue_untake(struct dragoman_ctl *ctl, const struct dragoman_req *reqs, unsigned int n)
{
	spin_lock(&queue_lock);
	while (n--) {
		struct request *req = reqs[n].id ? find_id(reqs[n].id) : NULL;

		if (req && req->state == TAKEN && req->ctl == ctl)
			requeue(req);
	}
	spin_unlock(&queue_lock);
	dragoman_queue_wake_server();
}

/* What an answer to OPEN says about the image. */
static int bind_answer(struct request *req, const struct dragoman_answer *answer)
{
	struct dragoman_object *object;
	int err;

	if (answer->status == DRAGOMAN_NONE)
		return 0;
	if (answer->status == DRAGOMAN_PRIVATE)
		return dragoman_image_bind(req->image, &req->class, answer->status, NULL);
	object = dragoman_object_find(answer->object);
	if (!object)
		return -EINVAL;
	err = dragoman_image_bind(req->image, &req->class, answer->status, object);
	dragoman_object_put(object);
	return err;
}

/* 0; -ENOENT, -EINVAL: nothing has happened; -ESTALE and others: the waiters were told NONE. */
int dragoman_queue_answer(struct dragoman_ctl *ctl, const struct dragoman_answer *answer)
{
	u32 status = answer->status;
	struct request *req;
	LIST_HEAD(ended);
	int err = 0;

	if (status > DRAGOMAN_PRIVATE || answer->pad)
		return -EINVAL;
	spin_lock(&queue_lock);
	req = find_id(answer->id);
	if (req && req->state == TAKEN)
		refcount_inc(&req->refs);
	else
		req = NULL;
	spin_unlock(&queue_lock);
	if (!req)
		return -ENOENT;
	if ((req->kind == DRAGOMAN_REQ_OPEN && status == DRAGOMAN_OK) != !!answer->object)
		err = -EINVAL;
	else if (req->kind == DRAGOMAN_REQ_OPEN)
		err = bind_answer(req, answer);
	if (err == -EINVAL)
		goto out;
	if (err)
		status = DRAGOMAN_NONE;
	spin_lock(&queue_lock);
	if (req->state == TAKEN) {
		finish(req, status, 0, &ended);
		dragoman_count(STAT_ANSWERED);
	} else if (!err) {
		err = -ENOENT;
	}
	spin_unlock(&queue_lock);
	put_ended(&ended);
out:
	request_put(req);
	return err;
}

void dragoman_queue_exit(void)
{
	LIST_HEAD(ended);

	cancel_delayed_work_sync(&grace_work);
	spin_lock(&queue_lock);
	server.grace = false;
	finish_all(&ended);
	spin_unlock(&queue_lock);
	put_ended(&ended);
}
