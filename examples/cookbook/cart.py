"""A cart with stock: what is put into a cart leaves the stock in the same atomic step, or stays.

``python examples/cookbook/cart.py [URL]``
"""

import asyncio
import sys

from pydantic import Field

import rapyer
from rapyer import AtomicRedisModel, Key, init_rapyer, teardown_rapyer
from rapyer.errors import PipelineError
from rapyer.types import RedisDict, RedisInt


class Product(AtomicRedisModel):
    sku: Key[str]
    stock: RedisInt = Field(default=RedisInt(0), ge=0)


class Cart(AtomicRedisModel):
    customer: Key[str]
    items: RedisDict[str, int] = RedisDict()


async def put_in(cart: Cart, sku: str, count: int = 1) -> bool:
    """Move ``count`` of a product from the stock into the cart; whether there were so many."""
    product = await Product.get(sku)
    try:
        async with rapyer.pipeline(cart, product):
            product.stock -= count  # refused below 0, and then nothing of this happens
            if sku in cart.items:
                cart.items[sku] += count
            else:
                cart.items[sku] = count
    except PipelineError:
        return False
    return True


async def main(url: str) -> None:
    await init_rapyer(url)
    await Product(sku="mug", stock=10).save()
    carts = [await Cart(customer=f"customer {n}").save() for n in range(8)]
    taken = await asyncio.gather(*(put_in(cart, "mug", 3) for cart in carts))
    left = (await Product.get("mug")).stock
    print("carts filled:", sum(taken), "- left in stock:", left)
    await Cart.delete_many(*carts)
    await Product.delete_by_key("Product:mug")
    await teardown_rapyer()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "embedded://"))
