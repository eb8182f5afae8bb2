"""What a service does with posts: run it with ``python examples/blog_demo.py [URL]``.

Without a URL it uses a private server of its own (the extra ``rapyer[embedded]``).
"""

import asyncio
import sys
from datetime import UTC, datetime

from blog import Author, BlogPost, Comment, Product, Status

from rapyer import init_rapyer, teardown_rapyer
from rapyer.errors import ConstraintError, PipelineError


async def publish() -> None:
    post = BlogPost(title="Atomic blogging", author=Author(name="Ada"), tags=["redis", "python"])
    await post.save()
    print("saved", post.key)

    # every reader counts, even a hundred at the same time
    await asyncio.gather(*(post.views.increase() for _ in range(100)))
    print("views", post.views)

    # operations on any depth of the document
    await post.comments.aappend(Comment(author="Grace", text="Nice!"))
    await post.comments[0].likes.increase()
    await post.tags.aextend(["json", "draft"])
    print("popped", await post.tags.apop())

    # several changes that everybody sees at once, or not at all
    async with post.pipeline():
        post.status = Status.PUBLISHED
        post.published_at = datetime.now(UTC)
        post.settings["theme"] = "dark"
        post.views += 1

    same = await BlogPost.get(post.key)
    print(same.status.value, same.views, same.tags, same.comments[0].likes)
    await post.delete()


async def sell() -> None:
    product = Product(sku="mug", name="Mug", price=9.5, stock=10)
    await product.save()

    async def buy() -> bool:
        buyer = await Product.get("mug")
        try:
            await buyer.stock.increase(-1)
        except ConstraintError:
            return False
        return True

    sold = sum(await asyncio.gather(*(buy() for _ in range(40))))
    print("sold", sold, "of 10 to 40 buyers")

    await product.load()
    try:
        async with product.pipeline():
            product.price *= 2
            product.stock -= 5
    except PipelineError as error:
        print("refused as a whole:", type(error.__cause__).__name__)
    print("price is still", (await Product.get("mug")).price)
    await product.delete()


async def main(url: str) -> None:
    await init_rapyer(url)
    try:
        await publish()
        await sell()
    finally:
        await teardown_rapyer()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "embedded://"))
