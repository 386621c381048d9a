// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images: versions of guest files, and which object serves each CPU class and translator. In: files that a client has
 * proved, what the server says. Out: the object, or that there is none (yet).
 *
 * An image that nobody uses keeps its objects, so that the next start is warm, but no reference into the file system, so that this
 * can be unmounted. What tells that a later file is the same version is the key. A file that can change without its key
 * changing (within a tick of its last change; while it is open for writing) is not given to the server.
 */
#include <linux/backing-dev.h>
#include <linux/blkdev.h>
#include <linux/cred.h>
#include <linux/dcache.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/gfs2_ondisk.h>
#include <linux/hashtable.h>
#include <linux/jhash.h>
#include <linux/kdev_t.h>
#include <linux/magic.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/user_namespace.h>

#include "internal.h"

/* Places for objects in one image. More kinds of clients than that at a time get nothing. */
#define MAX_SLOTS 16

/* So many refusals are remembered. */
#define MAX_PRIVATE 4096

/* So many images that nobody uses keep their objects. Users make them, by the thousand if they like. */
#define MAX_UNUSED 16384

enum slot_state { SLOT_WANTED, SLOT_BOUND, SLOT_PRIVATE };

/* A slot that is bound or private has a reference to its image, and is in a list of the object or of private ones. */
struct slot {
	struct list_head of_image, of_object;
	struct dragoman_image *image;
	struct dragoman_object *object;		/* SLOT_BOUND: a reference */
	struct dragoman_class class;
	enum slot_state state;
};

static DEFINE_SPINLOCK(image_lock);
static DEFINE_HASHTABLE(by_key, 10);
static DEFINE_HASHTABLE(by_id, 10);
static LIST_HEAD(all_images);		/* and a reader's place */
static LIST_HEAD(idle_images);
static LIST_HEAD(unused_images);	/* the oldest first */
static LIST_HEAD(private_slots);
static unsigned int nunused, nprivate;
static u64 last_id;

static const struct cred *server_cred;	/* the server's files are opened with it */

/* ---- which file ------------------------------------------------------------------------------------------------ */

static bool is_trusted(const struct inode *inode)
{
	return uid_eq(inode->i_uid, GLOBAL_ROOT_UID) && !(inode->i_mode & 022) &&
	       inode->i_sb->s_user_ns == &init_user_ns;
}

/*
 * 0, and what file it is; -EACCES: not readable, or no file whose contents could be known. proof->file is not given a reference of its own.
 */
int dragoman_proof_from_file(struct dragoman_proof *proof, struct file *file)
{
	struct inode *real = d_real_inode(file->f_path.dentry);

	/* The server may get the very file, so nothing that can be written, and no object. */
	if (!(file->f_mode & FMODE_READ) || file->f_mode & FMODE_WRITE || !real || !S_ISREG(file_inode(file)->i_mode) ||
	    dragoman_object_is_ours(real))
		return -EACCES;
	memset(proof, 0, sizeof(*proof));
	proof->file = file;
	proof->real = real;
	if (real != file_inode(file) || d_inode(file->f_path.dentry) != file_inode(file) || dragoman_is_backing(file))
		proof->flags |= DRAGOMAN_FILE_STACKED;
	if (dragoman_noexec(&file->f_path))
		proof->flags |= DRAGOMAN_FILE_NOEXEC;
	if (is_trusted(real))
		proof->flags |= DRAGOMAN_FILE_TRUSTED;
	return 0;
}

/* Btrfs has the same numbers in each subvolume, and says by stat only which one it is. */
static dev_t device_of(const struct file *file, const struct inode *inode)
{
	struct kstat stat;

	if (inode->i_sb->s_magic != BTRFS_SUPER_MAGIC || d_inode(file->f_path.dentry) != inode ||
	    vfs_getattr_nosec(&file->f_path, &stat, 0, AT_STATX_DONT_SYNC))
		return inode->i_sb->s_dev;
	return stat.dev;
}

static void file_id(const struct file *file, const struct inode *inode, struct dragoman_file_id *id)
{
	struct timespec64 ctime = inode_get_ctime(inode), mtime = inode_get_mtime(inode);

	memset(id, 0, sizeof(*id));
	id->dev = new_encode_dev(device_of(file, inode));
	id->ino = inode->i_ino;
	id->size = i_size_read(inode);
	id->ctime_sec = ctime.tv_sec;
	id->ctime_nsec = ctime.tv_nsec;
	id->mtime_sec = mtime.tv_sec;
	id->mtime_nsec = mtime.tv_nsec;
	id->generation = inode->i_generation;
}

void dragoman_proof_id(const struct dragoman_proof *proof, struct dragoman_file_id *id)
{
	file_id(proof->file, proof->real, id);
	id->flags = proof->flags;
}

static void make_key(const struct file *file, const struct inode *inode, struct dragoman_key *key)
{
	const struct super_block *sb = inode->i_sb;

	memset(key, 0, sizeof(*key));
	file_id(file, inode, &key->file);
	key->uuid = sb->s_uuid;
	if (sb->s_bdev)
		key->diskseq = sb->s_bdev->bd_disk->diskseq;
	if (sb->s_bdi != &noop_backing_dev_info)
		key->bdi = sb->s_bdi->id;
}

/* A memfd's writers are not counted anywhere, and writing it through a map leaves no time. */
static bool is_open_memfd(const struct inode *inode)
{
	return inode->i_sb->s_magic == TMPFS_MAGIC && !inode->i_nlink && !(SHMEM_I((struct inode *)inode)->seals & F_SEAL_WRITE);
}

/*
 * Nobody but this kernel writes its files, and it says when. So no network file system, no FUSE (whose server may also keep who reads
 * waiting), no disk that a cluster shares, nothing that is no file but looks like one (sysfs).
 */
static bool is_local(const struct super_block *sb)
{
	switch (sb->s_magic) {
	case TMPFS_MAGIC:
		return true;
	case FUSE_SUPER_MAGIC:
	case GFS2_MAGIC:
	case OCFS2_SUPER_MAGIC:
		return false;
	}
	return sb->s_type->fs_flags & FS_REQUIRES_DEV;
}

/* On some file systems a change leaves the same time as another one for seconds (FAT does not say so). A clock tick is ctl.c's business. */
static bool is_too_young(const struct inode *inode)
{
	s64 step = inode->i_sb->s_magic == MSDOS_SUPER_MAGIC ? 2 * NSEC_PER_SEC : inode->i_sb->s_time_gran;
	struct timespec64 changed, now;

	if (step <= TICK_NSEC)
		return false;
	changed = inode_get_ctime(inode);
	ktime_get_coarse_real_ts64(&now);
	return abs(timespec64_to_ns(&now) - timespec64_to_ns(&changed)) <= 2 * step;
}

static bool needs_watch(const struct inode *inode)
{
	return inode->i_sb->s_magic == TMPFS_MAGIC;
}

/* Can the server be asked to read it, and is what it finds there for as long as the key stays the same? */
static bool is_stable(const struct inode *inode)
{
	return i_size_read(inode) > 0 && is_local(inode->i_sb) && !is_open_memfd(inode) && !inode_is_open_for_write(inode) &&
	       !is_too_young(inode);
}

/* ---- images ---------------------------------------------------------------------------------------------------- */

static u32 key_hash(const struct dragoman_key *key)
{
	BUILD_BUG_ON(sizeof(*key) % 4);
	return jhash2((const u32 *)key, sizeof(*key) / 4, 0);
}

static void forget(struct dragoman_image *image);

/* Under image_lock. One that was written, which its key does not tell, is no more what the key is for; whoever uses it keeps it. */
static struct dragoman_image *find_key(const struct dragoman_key *key, u32 hash)
{
	struct dragoman_image *image;
	struct hlist_node *next;

	hash_for_each_possible_safe(by_key, image, next, by_key, hash) {
		if (memcmp(&image->key, key, sizeof(*key)))
			continue;
		if (!dragoman_watch_written(image->watch))
			return image;
		hash_del(&image->by_key);
		forget(image);
	}
	return NULL;
}

static struct dragoman_image *find_id(u64 id)
{
	struct dragoman_image *image;

	hash_for_each_possible(by_id, image, by_id, id)
		if (image->id == id)
			return image;
	return NULL;
}

static void slot_free(struct slot *slot)
{
	list_del(&slot->of_image);
	slot->image->nslots--;
	kfree(slot);
}

/* Under image_lock. */
static void not_unused(struct dragoman_image *image)
{
	if (list_empty(&image->unused))
		return;
	list_del_init(&image->unused);
	nunused--;
}

/* Under image_lock. The last one frees it: then no slot has an object. */
static void image_put(struct dragoman_image *image)
{
	struct slot *slot, *next;

	if (--image->refs)
		return;
	list_for_each_entry_safe(slot, next, &image->slots, of_image)
		slot_free(slot);
	not_unused(image);
	dragoman_watch_stop(image->watch);
	list_del(&image->all);
	list_del(&image->idle);
	hash_del(&image->by_key);
	hash_del(&image->by_id);
	atomic_dec(&dragoman_nimages);
	kfree(image);
}

static void use(struct dragoman_image *image)
{
	image->refs++;
	image->uses++;
	list_del_init(&image->idle);
	not_unused(image);
}

/* Through an overlay the server could read another file later, after a copy up. */
static bool is_readable(const struct dragoman_proof *proof)
{
	return file_inode(proof->file) == proof->real;
}

/*
 * What the server will read: an open file of its own, since it could not read one that a client gave O_DIRECT, and would keep a
 * client's locks. 0; -ENOMEM, -ENFILE; -EACCES: private.
 */
static int open_for_server(const struct dragoman_proof *proof, struct file **file)
{
	int err;

	/* On older kernels what is mapped of an overlay has the overlay's path; nobody has a descriptor of it. */
	if (d_inode(proof->file->f_path.dentry) != proof->real) {
		*file = get_file(proof->file);
		return 0;
	}
	*file = dentry_open(&proof->file->f_path, O_RDONLY | O_LARGEFILE | O_NONBLOCK, server_cred);
	err = PTR_ERR_OR_ZERO(*file);
	if (!err)
		return 0;
	*file = NULL;
	return err == -ENOMEM || err == -ENFILE ? err : -EACCES;
}

/* Makes what a new image needs and cannot be had with the lock. 0 or -errno. */
static int image_alloc(struct inode *real, struct dragoman_image **image)
{
	struct dragoman_watch *watch = needs_watch(real) ? dragoman_watch_start(real) : NULL;

	if (IS_ERR(watch))
		return PTR_ERR(watch);
	*image = kzalloc(sizeof(**image), GFP_KERNEL_ACCOUNT);
	if (!*image) {
		dragoman_watch_stop(watch);
		return -ENOMEM;
	}
	(*image)->watch = watch;
	return 0;
}

/* Under image_lock: makes a new image of fresh. */
static void image_add(struct dragoman_image *image, const struct dragoman_key *key, u32 hash, u32 flags)
{
	image->key = *key;
	image->id = ++last_id;
	image->flags = flags;
	INIT_LIST_HEAD(&image->slots);
	INIT_LIST_HEAD(&image->idle);
	INIT_LIST_HEAD(&image->unused);
	list_add_tail(&image->all, &all_images);
	hash_add(by_key, &image->by_key, hash);
	hash_add(by_id, &image->by_id, image->id);
	atomic_inc(&dragoman_nimages);
}

/*
 * The image of a proved file, held with its file until dragoman_image_unuse(). -EACCES: private; -ENOMEM, -ENFILE.
 */
struct dragoman_image *dragoman_image_use(const struct dragoman_proof *proof)
{
	struct dragoman_image *image = NULL, *fresh = NULL;
	bool lack_image, lack_file;
	struct file *file = NULL;
	struct dragoman_key key;
	int err = 0;
	u32 hash;

	/* A writer below an overlay is not seen by a watch. */
	if (needs_watch(proof->real) && proof->flags & DRAGOMAN_FILE_STACKED)
		return ERR_PTR(-EACCES);
	while (!err) {
		/* Again after a watch has begun: who wrote before is gone, or seen here. */
		if (!is_stable(proof->real)) {
			err = -EACCES;
			break;
		}
		make_key(proof->file, proof->real, &key);
		hash = key_hash(&key);
		spin_lock(&image_lock);
		image = find_key(&key, hash);
		lack_image = !image && !fresh;
		lack_file = is_readable(proof) && !file && !(image && image->file);
		if (!lack_image && !lack_file) {
			if (!image) {
				swap(image, fresh);
				image_add(image, &key, hash, proof->flags & DRAGOMAN_FILE_TRUSTED);
			}
			use(image);
			if (!image->file)
				swap(image->file, file);
			spin_unlock(&image_lock);
			break;
		}
		spin_unlock(&image_lock);
		if (lack_image)
			err = image_alloc(proof->real, &fresh);
		if (!err && lack_file)
			err = open_for_server(proof, &file);
	}
	if (fresh)
		dragoman_watch_stop(fresh->watch);
	kfree(fresh);
	if (file)
		fput(file);
	return err ? ERR_PTR(err) : image;
}

static void slot_clear(struct slot *slot);

/* Under image_lock: it is as if nothing had been said about the image. */
static void forget(struct dragoman_image *image)
{
	struct slot *slot;

	image->refs++;
	list_for_each_entry(slot, &image->slots, of_image)
		slot_clear(slot);
	not_unused(image);
	image_put(image);
}

void dragoman_image_use_again(struct dragoman_image *image)
{
	spin_lock(&image_lock);
	use(image);
	spin_unlock(&image_lock);
}

void dragoman_image_unuse(struct dragoman_image *image)
{
	struct file *file = NULL;
	bool idle = false;

	spin_lock(&image_lock);
	if (!--image->uses) {
		swap(file, image->file);
		if (image->nbound) {
			list_add_tail(&image->idle, &idle_images);
			list_add_tail(&image->unused, &unused_images);
			if (++nunused > MAX_UNUSED)
				forget(list_first_entry(&unused_images, struct dragoman_image, unused));
			idle = true;
		}
	}
	image_put(image);
	spin_unlock(&image_lock);
	if (file)
		fput(file);
	if (idle)
		dragoman_queue_wake_server();
}

/* For the server. -ENOENT: there is none; -ESTALE: no client uses it, but one has to. */
struct dragoman_image *dragoman_image_find(u64 id, bool used)
{
	struct dragoman_image *image;

	spin_lock(&image_lock);
	image = find_id(id);
	if (!image)
		image = ERR_PTR(-ENOENT);
	else if (used && !image->uses)
		image = ERR_PTR(-ESTALE);
	else
		use(image);
	spin_unlock(&image_lock);
	return image;
}

/* A reference to the file, or NULL. */
struct file *dragoman_image_file(struct dragoman_image *image)
{
	struct file *file;

	spin_lock(&image_lock);
	file = image->file;
	if (file)
		get_file(file);
	spin_unlock(&image_lock);
	return file;
}

/* Is the file still this version? 0, -ESTALE. */
int dragoman_image_check(struct dragoman_image *image)
{
	struct file *file = dragoman_image_file(image);
	struct dragoman_key key;
	int err = -ESTALE;

	if (!file)
		return err;
	make_key(file, file_inode(file), &key);
	if (!memcmp(&key, &image->key, sizeof(key)) && is_stable(file_inode(file)) && !dragoman_watch_written(image->watch))
		err = 0;
	fput(file);
	return err;
}

bool dragoman_image_has_idle(void)
{
	return !list_empty_careful(&idle_images);
}

/* Fills an IDLE message, if there is one. */
bool dragoman_image_take_idle(struct dragoman_req *req)
{
	struct dragoman_image *image;

	spin_lock(&image_lock);
	image = list_first_entry_or_null(&idle_images, struct dragoman_image, idle);
	if (image) {
		list_del_init(&image->idle);
		memset(req, 0, sizeof(*req));
		req->kind = DRAGOMAN_REQ_IDLE;
		req->image = image->id;
		req->priority = 2;
		if (image->flags & DRAGOMAN_FILE_TRUSTED)
			req->flags = DRAGOMAN_REQ_TRUSTED;
	}
	spin_unlock(&image_lock);
	return image;
}

/* ---- slots ----------------------------------------------------------------------------------------------------- */

static bool same_class(const struct dragoman_class *a, const struct dragoman_class *b)
{
	return a->cpu_class == b->cpu_class && !memcmp(a->translator, b->translator, sizeof(a->translator));
}

static struct slot *find_slot(struct dragoman_image *image, const struct dragoman_class *class)
{
	struct slot *slot;

	list_for_each_entry(slot, &image->slots, of_image)
		if (same_class(&slot->class, class))
			return slot;
	return NULL;
}

/* Under image_lock: takes away what it had, and maybe the last reference to its image. */
static void slot_clear(struct slot *slot)
{
	if (slot->state == SLOT_WANTED)
		return;
	list_del(&slot->of_object);
	if (slot->state == SLOT_BOUND) {
		dragoman_object_put(slot->object);
		slot->object = NULL;
		slot->image->nbound--;
	} else {
		nprivate--;
	}
	slot->state = SLOT_WANTED;
	image_put(slot->image);
}

/* Under image_lock, after slot_clear(). */
static void slot_set(struct slot *slot, u32 status, struct dragoman_object *object)
{
	if (object) {
		dragoman_object_get(object);
		slot->object = object;
		slot->state = SLOT_BOUND;
		slot->image->nbound++;
		list_add(&slot->of_object, &object->slots);
	} else if (status == DRAGOMAN_PRIVATE) {
		slot->state = SLOT_PRIVATE;
		list_add_tail(&slot->of_object, &private_slots);
		if (++nprivate > MAX_PRIVATE)
			slot_clear(list_first_entry(&private_slots, struct slot, of_object));
	} else {
		return;
	}
	slot->image->refs++;
}

/* Room for one more: what is only wanted or refused can be found out again. The caller uses the image. */
static bool make_room(struct dragoman_image *image)
{
	struct slot *slot;

	if (image->nslots < MAX_SLOTS)
		return true;
	list_for_each_entry(slot, &image->slots, of_image) {
		if (slot->state == SLOT_BOUND)
			continue;
		slot_clear(slot);
		slot_free(slot);
		return true;
	}
	return false;
}

/* Sees to it that there is a slot. 0, -ENOMEM, -ENOSPC. */
static int add_slot(struct dragoman_image *image, const struct dragoman_class *class)
{
	struct slot *slot = kzalloc(sizeof(*slot), GFP_KERNEL_ACCOUNT);
	int err = 0;

	if (!slot)
		return -ENOMEM;
	slot->image = image;
	slot->class = *class;
	slot->state = SLOT_WANTED;
	spin_lock(&image_lock);
	if (!find_slot(image, class)) {
		if (make_room(image)) {
			list_add_tail(&slot->of_image, &image->slots);
			image->nslots++;
			slot = NULL;
		} else {
			err = -ENOSPC;
		}
	}
	spin_unlock(&image_lock);
	kfree(slot);
	return err;
}

/* What a slot says, or -ENOENT. */
static int look(struct dragoman_image *image, const struct dragoman_class *class, struct dragoman_object **object)
{
	int status = DRAGOMAN_NONE;
	struct slot *slot;

	spin_lock(&image_lock);
	slot = find_slot(image, class);
	if (!slot) {
		status = -ENOENT;
	} else if (slot->state == SLOT_PRIVATE) {
		status = DRAGOMAN_PRIVATE;
	} else if (slot->state == SLOT_BOUND) {
		*object = slot->object;
		dragoman_object_get(*object);
		status = DRAGOMAN_OK;
	}
	spin_unlock(&image_lock);
	return status;
}

/*
 * DRAGOMAN_OK: *object with a reference; NONE; PRIVATE; -ENOMEM. The caller uses the image. What is looked for is remembered,
 * so that a new server is asked for it.
 */
int dragoman_image_look(struct dragoman_image *image, const struct dragoman_class *class, struct dragoman_object **object)
{
	int status = look(image, class, object), err;

	if (status != -ENOENT)
		return status;
	err = add_slot(image, class);
	return err == -ENOSPC ? DRAGOMAN_PRIVATE : err ? err : DRAGOMAN_NONE;
}

/* Has the server said something about it? For queue.c, with its lock. */
bool dragoman_image_is_answered(struct dragoman_image *image, const struct dragoman_class *class)
{
	struct slot *slot;
	bool answered;

	spin_lock(&image_lock);
	slot = find_slot(image, class);
	answered = slot && slot->state != SLOT_WANTED;
	spin_unlock(&image_lock);
	return answered;
}

/*
 * What the server says. The caller uses the image. 0; -ESTALE: the file is another version now, or the object is retired; -EINVAL: the object
 * is of another class; -ENOMEM, -ENOSPC.
 */
int dragoman_image_bind(struct dragoman_image *image, const struct dragoman_class *class, u32 status, struct dragoman_object *object)
{
	struct slot *slot;
	int err = 0;

	if (object && !same_class(&object->class, class))
		return -EINVAL;
	if (object)
		err = dragoman_image_check(image);
	if (!err)
		err = add_slot(image, class);
	if (err)
		return err;
	spin_lock(&image_lock);
	slot = find_slot(image, class);
	if (!slot) {
		err = -ENOSPC;
	} else if (object && object->retired) {
		err = -ESTALE;
	} else {
		slot_clear(slot);
		slot_set(slot, status, object);
	}
	spin_unlock(&image_lock);
	return err;
}

/* The object serves nobody any more and never will. */
void dragoman_image_unbind(struct dragoman_object *object)
{
	spin_lock(&image_lock);
	object->retired = true;
	while (!list_empty(&object->slots))
		slot_clear(list_first_entry(&object->slots, struct slot, of_object));
	spin_unlock(&image_lock);
}

/* A new server may know better. */
void dragoman_image_forget_private(void)
{
	spin_lock(&image_lock);
	while (!list_empty(&private_slots))
		slot_clear(list_first_entry(&private_slots, struct slot, of_object));
	spin_unlock(&image_lock);
}

/*
 * Under image_lock, which it may let go of meanwhile: the next image after place that clients use and want objects for, and how many
 * and what. Used for the caller.
 */
static struct dragoman_image *next_wanted(struct list_head *place, struct dragoman_class *classes, unsigned int *n)
{
	struct dragoman_image *image;
	struct slot *slot;

	*n = 0;
	while (!list_is_last(place, &all_images)) {
		image = list_entry(place->next, struct dragoman_image, all);
		list_move(place, &image->all);
		if (image->uses && image->file)
			list_for_each_entry(slot, &image->slots, of_image)
				if (slot->state == SLOT_WANTED)
					classes[(*n)++] = slot->class;
		if (*n) {
			use(image);
			return image;
		}
		cond_resched_lock(&image_lock);
	}
	list_del(place);
	return NULL;
}

/* For a new server, and there is only one: asks for each object that a client would like to have. */
void dragoman_image_reopen(void)
{
	struct dragoman_want want = { .kind = DRAGOMAN_REQ_OPEN, .priority = 1 };
	struct dragoman_class classes[MAX_SLOTS];
	struct list_head place;
	unsigned int n;
	u32 status;

	spin_lock(&image_lock);
	list_add(&place, &all_images);
	while ((want.image = next_wanted(&place, classes, &n))) {
		spin_unlock(&image_lock);
		for (unsigned int i = 0; i < n; i++) {
			want.class = classes[i];
			want.cookie = 0;
			dragoman_queue_ask(&want, &status);
		}
		dragoman_image_unuse(want.image);
		cond_resched();
		spin_lock(&image_lock);
	}
	spin_unlock(&image_lock);
}

int __init dragoman_image_init(void)
{
	int err = dragoman_watch_init();

	if (err)
		return err;
	server_cred = prepare_kernel_cred(&init_task);
	if (server_cred)
		return 0;
	dragoman_watch_exit();
	return -ENOMEM;
}

void dragoman_image_exit(void)
{
	dragoman_watch_exit();
	put_cred(server_cred);
}
