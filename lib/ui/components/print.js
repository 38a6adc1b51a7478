// A button that prints the page as it is.
const mounted = new WeakMap();

export default function print({ parentElement, data }) {
  let button = mounted.get(parentElement);
  if (!button) {
    button = document.createElement("button");
    button.type = "button";
    button.className = "print";
    button.onclick = () => window.print();
    parentElement.append(button);
    mounted.set(parentElement, button);
  }
  button.textContent = data.words;
  return () => mounted.delete(parentElement);
}
